"""A native version in a process of its own: what crashes, hangs or eats memory there leaves everything else as it is."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.errors import FeatureError, NotServableError, ProcessEndedError
from everfit.training.arrays import Floats
from everfit.training.native_worker import Failure

if TYPE_CHECKING:
    import polars as pl

START_SECONDS = 60.0
RETRY_SECONDS = 30.0  # after a start that failed
WORKER = "everfit.training.native_worker"
OURS = ("EVERFIT_", "MLFLOW_", "DAGSTER_", "PG")  # variables that may hold passwords; an estimator needs none of them
ONE_THREAD = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1")


class NativeProcess:
    """Started when it is first asked, and again when it has ended. One question at a time."""

    def __init__(self, content: bytes, trusted: list[str], name: str) -> None:
        """``content`` is a file of skops with these types; ``name`` the model's, for messages."""
        self._given = msgspec.json.encode(trusted), content
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[bytes, bytes] | None = None
        self._one = threading.Lock()
        self._unstartable: tuple[float, NotServableError] | None = None

    def ask(self, rows: "pl.DataFrame", seconds: float) -> Floats:
        """The answers to rows, float64[N] or [N, K].

        Raises:
            FeatureError: when a column is missing, or of a type that does not fit.
            ProcessEndedError: when the process crashes, or does not answer within so many seconds.
            NotServableError: when the file cannot be loaded, or answering raises anything.
        """
        import numpy as np

        with self._one:
            if self._process is None:
                self._start()
            buffer = io.BytesIO()
            rows.write_ipc(buffer)
            reply = self._exchange([buffer.getvalue()], seconds, f"{rows.height} rows")
        answers: Floats = np.load(io.BytesIO(reply), allow_pickle=False)
        return answers

    def end(self) -> None:
        """End the process, if it runs."""
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.wait()
            self._connection.close()
        self._process = self._connection = None

    def _start(self) -> None:
        if self._unstartable and time.monotonic() < self._unstartable[0]:
            raise self._unstartable[1]
        self._connection, theirs = Pipe()
        command = [sys.executable, "-X", "faulthandler", "-m", WORKER, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, env=_environment(), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=2
            )
        try:
            self._exchange(self._given, START_SECONDS, "loading it")
        except NotServableError as error:
            self.end()
            self._unstartable = time.monotonic() + RETRY_SECONDS, error
            raise

    def _exchange(self, messages: Any, seconds: float, what: str) -> bytes:
        """Its reply to what is sent."""
        assert self._process
        assert self._connection
        try:
            for message in messages:
                self._connection.send_bytes(message)
            reply = self._connection.recv_bytes() if self._connection.poll(seconds) else None
        except (OSError, EOFError) as error:
            ended = _how(self._process.wait())
            self.end()
            raise ProcessEndedError(
                f"{self._name}: its process ended ({ended}) at {what}; its own messages say more"
            ) from error
        if reply is None:
            self.end()
            raise ProcessEndedError(f"{self._name}: its process gave no answer to {what} in {seconds:g} s, and was ended")
        if reply.startswith(b"{"):
            failure = msgspec.json.decode(reply, type=Failure)
            kind = FeatureError if failure.kind == "FeatureError" else NotServableError
            raise kind(f"{self._name}: {failure.message}")
        return reply


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | ONE_THREAD


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
