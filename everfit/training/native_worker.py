"""The process of a native version: ``python -m everfit.training.native_worker FD``.

It reads from the socket FD the trusted types as JSON, the file of skops, and then frames in Arrow's format; it answers each by
an array in numpy's, or by a :class:`Failure` in JSON. It ends with its parent.
"""

import io
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from everfit.environment.project_folder import put_behind
from everfit.errors import EverfitError
from everfit.training.native_file import loaded

LONGEST_SECONDS = 300  # of an answer: a process whose parent was killed meanwhile does not go on for ever


class Failure(msgspec.Struct, frozen=True):
    """What was raised in the process: the name of its class, and its message."""

    kind: str
    message: str


class _WithoutTorch(MetaPathFinder):
    """skops imports all that scikit-learn has, and so torch, in a second and 180 MB that no estimator of it needs."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:  # noqa: ARG002
        if fullname == "torch":
            raise ModuleNotFoundError(fullname, name=fullname)


def _main(socket: int) -> None:
    connection: Connection[bytes, bytes] = Connection(socket)
    trusted, content = connection.recv_bytes(), connection.recv_bytes()
    put_behind(Path.cwd())
    without_torch = _WithoutTorch()
    sys.meta_path.insert(0, without_torch)
    import skops.io  # noqa: F401

    sys.meta_path.remove(without_torch)
    fitted: list[Any] = []

    def load() -> bytes:
        fitted.append(loaded(content, msgspec.json.decode(trusted, type=list[str])))
        return b"loaded"

    connection.send_bytes(_reply(load))
    while True:
        try:
            request = connection.recv_bytes()
        except EOFError:
            return
        signal.alarm(LONGEST_SECONDS)
        connection.send_bytes(_reply(partial(_answered, fitted[0], request)))
        signal.alarm(0)


def _reply(work: Callable[[], bytes]) -> bytes:
    try:
        return work()
    except EverfitError as error:
        failure = Failure(type(error).__name__, str(error))
    except ModuleNotFoundError as error:
        failure = Failure(type(error).__name__, f"its process lacks a package ({error}); install it where this version answers")
    except Exception as error:  # noqa: BLE001 - an estimator may raise anything
        failure = Failure(type(error).__name__, f"its process raises {type(error).__name__}: {error}")
    return msgspec.json.encode(failure)


def _answered(fitted: Any, request: bytes) -> bytes:
    import numpy as np
    import polars as pl

    answers = np.asarray(fitted.predict(pl.read_ipc(io.BytesIO(request))), dtype=np.float64)
    buffer = io.BytesIO()
    np.save(buffer, answers, allow_pickle=False)
    return buffer.getvalue()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
