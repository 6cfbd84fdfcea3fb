"""Consumer processes that run passes of the sensor's tick, one after the other, until they are killed.

``python -m everfit.drills.consumer_pool URL KAFKA LAKE [MODULE…]`` is the pool's process: it has imported everything, and forks
a consumer for each line that it reads, so that a consumer starts within a moment. The line is the budget of a pass in seconds.
A pass that fails ends its consumer, as a failed tick ends; the pool's user starts the next.
"""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

import psutil

from everfit.drills.models.drill import drill
from everfit.drills.test_bed import TestBed
from everfit.stack import processes
from everfit.store.database import create_engine
from everfit.store.lake import Lake
from monitors.log_pass import BUDGET_SECONDS, run_pass

LINGER_SECONDS = 1.0
END_SECONDS = 30.0


class ConsumerPool:
    """Starts consumers on a test bed; with ``judging`` the modules that judge a champion's windows are imported beforehand."""

    def __init__(self, bed: TestBed, *, judging: bool = False) -> None:
        arguments = [bed.url, bed.kafka, str(bed.lake), *(["evidently", "sklearn", "scipy.stats"] if judging else [])]
        self.log = bed.folder / "consumers.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "everfit.drills.consumer_pool", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._alive: list[Consumer] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            _piped(pipe).close()

    def start(self, budget_seconds: float = BUDGET_SECONDS) -> "Consumer":
        """Start a consumer whose passes have this budget."""
        _piped(self._process.stdin).write(b"%f\n" % budget_seconds)
        _piped(self._process.stdin).flush()
        pid_line = _piped(self._process.stdout).readline()
        assert pid_line, "the pool's process ended"
        self._alive = [consumer for consumer in self._alive if consumer.is_alive]
        self._alive.append(Consumer(int(pid_line)))
        return self._alive[-1]

    def tend(self) -> None:
        """Start a consumer unless one is running."""
        if not any(consumer.is_alive for consumer in self._alive):
            self.start()

    def clear(self) -> None:
        """Kill all running consumers."""
        for consumer in self._alive:
            consumer.kill()


class Consumer:
    """One consumer process."""

    def __init__(self, pid: int) -> None:
        try:
            self._process: psutil.Process | None = psutil.Process(pid)
        except psutil.NoSuchProcess:  # its first pass failed at once
            self._process = None

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and processes.is_alive(self._process)

    def kill(self) -> None:
        """Send SIGKILL and wait until it has ended."""
        if self._process is not None and self.is_alive:
            self._process.kill()
            processes.outlasting([self._process], END_SECONDS)


def _piped(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def consume(url: str, kafka: str, lake: Path, budget_seconds: float) -> None:
    """Run passes, as the sensor does, until killed or until a pass raises."""
    engine, models = create_engine(url), {drill.name: drill}
    while True:
        run_pass(engine, Lake(lake), kafka, models, budget_seconds=budget_seconds, linger_seconds=LINGER_SECONDS)


def main() -> None:
    """Fork a consumer per line of stdin, and print the pid of each on stdout."""
    url, kafka, lake, *imported = sys.argv[1:]
    for module in imported:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # they are not waited for
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            consume(url, kafka, Path(lake), float(line))
        os.write(sys.stdout.fileno(), b"%d\n" % pid)


if __name__ == "__main__":
    main()
