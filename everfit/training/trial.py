"""A candidate in a process of its own, as it would be served: what crashes, hangs or eats memory there ends alone."""

import multiprocessing
import os
import signal
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from everfit.errors import ProcessEndedError
from everfit.training import trial_worker
from everfit.training.arrays import Floats
from everfit.training.artifact import Signature
from everfit.training.fit_process import load
from everfit.training.trial_worker import Reply, Request

if TYPE_CHECKING:
    import polars as pl


class Trial:
    """Asks the candidate, whose process starts with the first question, and again with the one after it has ended."""

    def __init__(self, content: bytes, signature: Signature, rows: "pl.DataFrame", folder: Path) -> None:
        """``rows`` are those that it is tried on, at least one; ``folder`` takes their files."""
        self._given = content, msgspec.json.encode(signature)
        self._folder = folder
        self._rows = self._file("rows", rows)
        self._process: multiprocessing.process.BaseProcess | None = None
        load([])

    def __enter__(self) -> "Trial":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._end()

    def load(self, seconds: float) -> Reply:
        """Load the candidate, and answer the rows; see :class:`Reply`. Raises as :meth:`_asked`."""
        return self._asked(Request("load", self._rows), seconds)[0]

    def answers(self, rows: "pl.DataFrame", seconds: float) -> "Floats | str":
        """The answers to other rows, or what was raised. Raises as :meth:`_asked`."""
        import numpy as np

        reply, content = self._asked(Request("answer", self._file("asked", rows)), seconds)
        return reply.fault or np.frombuffer(content, dtype=np.float64).reshape(reply.shape or ())

    def check(self, named: str, seconds: float) -> str:
        """What a user's check, by its module and name, finds on the rows; empty where it passes. Raises as :meth:`_asked`."""
        return self._asked(Request("check", self._rows, named), seconds)[0].fault

    def _file(self, name: str, rows: "pl.DataFrame") -> str:
        file = self._folder / f"{name}.arrow"
        rows.write_ipc(file)
        return str(file)

    def _asked(self, request: Request, seconds: float) -> tuple[Reply, bytes]:
        """The reply, and what follows it.

        Raises:
            ProcessEndedError: when it does not come within so many seconds, or the process ends.
        """
        if self._process is None:
            self._start()
        try:
            self._connection.send_bytes(msgspec.json.encode(request))
            if not self._connection.poll(seconds):
                self._end()
                raise ProcessEndedError(f"it was not done after {seconds:g} s, and was ended")
            reply = msgspec.json.decode(self._connection.recv_bytes(), type=Reply)
            return reply, b"" if reply.shape is None else self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise ProcessEndedError(f"it ended its process ({self._end()})") from error

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=trial_worker.serve, args=(theirs, *self._given), name="trial of a candidate")
        self._process.start()
        theirs.close()

    def _end(self) -> str:
        """End the process and all that it has started; returns how it ended, where it had ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return ""
        process.join(0.5 if process.exitcode is None else 0)
        code = process.exitcode
        assert process.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        self._connection.close()
        if code is None:
            return "by everfit"
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
