"""The process that a fit lives in: it fits, and answers until it is ended. :mod:`everfit.training.fit_process` starts it.

It gets the recipe once, as an argument. Requests and replies are JSON; answers and graphs follow as bytes, and an error is its
class and message: nothing that a recipe made is unpickled by the process that asks.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.training.row_file import mapped

if TYPE_CHECKING:
    from everfit.training.checked_fit import CheckedFit


class Request(msgspec.Struct, frozen=True):
    """``call`` is fit, predict or export; ``frame`` the file of the rows, where it takes some."""

    call: str
    frame: str = ""


class Failure(msgspec.Struct, frozen=True):
    """What a recipe raised: the name of its class and of the class's module, its message, ``errno`` of an OSError."""

    module: str
    kind: str
    message: str
    traceback: str = ""
    errno: int | None = None
    is_of_memory: bool = False


class Reply(msgspec.Struct, frozen=True):
    """What became of a request; ``shape`` is that of the answers that follow as float64, None where other bytes follow.

    ``notes`` and ``parent`` are those of the fit.
    """

    failure: Failure | None = None
    shape: tuple[int, ...] | None = None
    unread: str = ""
    notes: Sequence[str] = ()
    parent: int | None = None


def serve(connection: Connection, packed: bytes) -> None:
    """Answer requests until the connection ends. ``packed`` holds the recipe and the arguments of its fit."""
    from everfit.environment.project_folder import put_behind

    os.setsid()  # whatever the fit starts ends with it
    threading.Thread(target=end_with_parent, daemon=True).start()
    put_behind(Path.cwd())
    try:
        recipe, arguments = ForkingPickler.loads(packed)
    except Exception as error:  # noqa: BLE001 - an import may raise anything
        connection.send_bytes(msgspec.json.encode(Reply(unread=f"{type(error).__name__}: {error}")))
        return
    connection.send_bytes(msgspec.json.encode(Reply()))
    fitted: CheckedFit | None = None
    while True:
        try:
            request = msgspec.json.decode(connection.recv_bytes(), type=Request)
        except EOFError:
            return
        try:
            if request.call == "fit":
                fitted, content, shape = _fit(recipe, request, arguments), b"", None
            else:
                assert fitted is not None, "fit comes first"
                content, shape = _CALLS[request.call](fitted, request)
        except BaseException as error:  # noqa: BLE001 - a recipe may raise anything, SystemExit too
            connection.send_bytes(msgspec.json.encode(Reply(failure=_failure(error))))
            continue
        connection.send_bytes(msgspec.json.encode(Reply(shape=shape, notes=fitted.notes, parent=fitted.parent)))
        connection.send_bytes(content)


def _fit(recipe: Any, request: Request, arguments: dict[str, Any]) -> "CheckedFit":
    from everfit.training.recipe_fit import fit_recipe

    return fit_recipe(recipe, mapped(Path(request.frame)), **arguments)


def _predict(fitted: "CheckedFit", request: Request) -> tuple[bytes, tuple[int, ...]]:
    answers = fitted.predict(mapped(Path(request.frame)))
    return answers.tobytes(), answers.shape


_CALLS: dict[str, Callable[["CheckedFit", Request], tuple[bytes, tuple[int, ...] | None]]] = {
    "predict": _predict,
    "export": lambda fitted, _request: (fitted.export(), None),
}


def _failure(error: BaseException) -> Failure:
    kind = type(error)
    number = error.errno if isinstance(error, OSError) else None
    return Failure(
        kind.__module__, kind.__qualname__, str(error), traceback.format_exc(), number, isinstance(error, MemoryError)
    )


def end_with_parent() -> None:
    """Wait for the parent's end, then end this process and all that it has started."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.killpg(0, signal.SIGKILL)
