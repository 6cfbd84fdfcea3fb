"""The process that a candidate is tried in, as it would be served. :mod:`everfit.training.trial` starts it and asks it.

It gets the artifact and its signature as it starts. Requests and replies are JSON, answers float64 follow as bytes.
"""

import importlib
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from everfit.training.fit_worker import end_with_parent
from everfit.training.row_file import mapped

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.version_scorer import VersionScorer

BATCH_ROWS = 1_000  # that are answered at once, where the memory is measured


class Request(msgspec.Struct, frozen=True):
    """``call`` is load, answer or check; ``frame`` the file of the rows, ``check`` its module and name with a colon between."""

    call: str
    frame: str
    check: str = ""


class Reply(msgspec.Struct, frozen=True):
    """``fault`` is what was raised, or what a check has found; ``shape`` that of the answers that follow, if any do.

    Of a load, ``seconds`` passed until the first answer, and the process took ``megabytes`` more at its peak.
    """

    fault: str = ""
    shape: tuple[int, ...] | None = None
    seconds: float = 0.0
    megabytes: float = 0.0


def serve(connection: Connection, content: bytes, signature: bytes) -> None:
    """Answer requests until the connection ends."""
    from everfit.environment.project_folder import put_behind
    from everfit.training.artifact import Signature

    os.setsid()  # whatever is started here ends with it
    threading.Thread(target=end_with_parent, daemon=True).start()
    put_behind(Path.cwd())
    candidate = _Candidate(content, msgspec.json.decode(signature, type=Signature))
    while True:
        try:
            request = msgspec.json.decode(connection.recv_bytes(), type=Request)
        except EOFError:
            return
        try:
            reply, answers = candidate.asked(request)
        except BaseException as error:  # noqa: BLE001 - a user's function may raise anything, SystemExit too
            reply, answers = Reply(f"{type(error).__name__}: {error}"), b""
        connection.send_bytes(msgspec.json.encode(reply))
        if reply.shape is not None:
            connection.send_bytes(answers)


class _Candidate:
    """The candidate in this process; it is loaded with the first request."""

    def __init__(self, content: bytes, signature: Any) -> None:
        self._given = content, signature
        self._scorer: VersionScorer | None = None

    def asked(self, request: Request) -> tuple[Reply, bytes]:
        rows = mapped(Path(request.frame))
        loaded = Reply() if self._scorer else self._load(rows)
        if request.call == "load":
            return loaded, b""
        if request.call == "check":
            return Reply(_checked(request.check, self._answers, rows)), b""
        answers = self._answers(rows)
        return Reply(shape=answers.shape), answers.tobytes()

    def _load(self, rows: "pl.DataFrame") -> Reply:
        import onnxruntime  # noqa: F401 - what every server has in memory already

        from everfit.training.version_scorer import open_scorer

        resident, peak, began = psutil.Process().memory_info().rss, _peak_bytes(), time.monotonic()
        self._scorer = open_scorer(*self._given)
        self._scorer.score(rows.head(1))
        seconds = time.monotonic() - began
        self._scorer.score(rows.head(BATCH_ROWS))
        highest = after if (after := _peak_bytes()) > peak else psutil.Process().memory_info().rss
        return Reply(seconds=seconds, megabytes=max(0, highest - resident + _children_bytes()) / 1e6)

    def _answers(self, rows: "pl.DataFrame") -> Any:
        import numpy as np

        assert self._scorer is not None
        return np.array(self._scorer.score(rows), dtype=np.float64)


def _checked(named: str, answers: Callable[[Any], Any], rows: "pl.DataFrame") -> str:
    """What a check has found; empty where it passes."""
    module, _, name = named.partition(":")
    given = rows.clone()
    try:
        found = getattr(importlib.import_module(module), name)(answers, given)
    except BaseException as error:  # noqa: BLE001 - a user's function may raise anything, SystemExit too
        return f"it fails by {type(error).__name__}: {error}"
    if not given.equals(rows) or given.schema != rows.schema:
        return "it changes the rows that it is given; let it work on others, such as rows.with_columns(…)"
    if found is None or isinstance(found, str):
        return found or ""
    return f"it returns {found!r}; return None where the candidate passes, else a sentence that says why not"


def _peak_bytes() -> int:
    """The most memory that was resident in this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1_024 * peak


def _children_bytes() -> int:
    """Resident memory of the process that a native version answers from."""
    return sum(each.memory_info().rss for each in psutil.Process().children())
