"""Processes that do what the sensor's ticks do, one pass after the other, until they are killed.

``python -m everfit.drills.consumer_pool URL KAFKA LAKE [MODULE…]`` is the nursery: it has imported everything, and forks one
for each line that it reads, so that one is at work a moment after it was asked for. The line tells the seconds that a pass
has. A pass that fails ends its consumer, as a failed tick ends; whoever watches starts the next.
"""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

import psutil

from everfit.drills.declared.drill import drill
from everfit.drills.test_bed import Ground
from everfit.stack import processes
from everfit.store.database import create_engine
from everfit.store.lake import Lake
from monitors.tick import BUDGET_SECONDS, watch

LINGER_SECONDS = 1.0
END_SECONDS = 30.0


class Nursery:
    """Starts consumers of one ground; ``judging`` where they will find a champion, so that judging is imported beforehand."""

    def __init__(self, ground: Ground, *, judging: bool = False) -> None:
        arguments = [ground.url, ground.kafka, str(ground.lake), *(["evidently", "sklearn", "scipy.stats"] if judging else [])]
        self.log = ground.folder / "consumers.log"
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
        """One more consumer, whose passes have so much time."""
        _piped(self._process.stdin).write(b"%f\n" % budget_seconds)
        _piped(self._process.stdin).flush()
        told = _piped(self._process.stdout).readline()
        assert told, "the nursery ended"
        self._alive = [one for one in self._alive if one.is_alive]
        self._alive.append(Consumer(int(told)))
        return self._alive[-1]

    def tend(self) -> None:
        """See to it that a consumer is at work."""
        if not any(one.is_alive for one in self._alive):
            self.start()

    def clear(self) -> None:
        """Kill all that are at work."""
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
        """Whether it is still at work."""
        return self._process is not None and processes.is_alive(self._process)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None and self.is_alive:
            self._process.kill()
            processes.outlasting([self._process], END_SECONDS)


def _piped(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def consume(url: str, kafka: str, lake: Path, budget_seconds: float) -> None:
    """Pass after pass, as the sensor does; ends by being killed, or by what a pass raises."""
    engine, models = create_engine(url), {drill.name: drill}
    while True:
        watch(engine, Lake(lake), kafka, models, budget_seconds=budget_seconds, linger_seconds=LINGER_SECONDS)


def main() -> None:
    """Fork a consumer a line; the pid of each is told on stdout."""
    url, kafka, lake, *imported = sys.argv[1:]
    for module in imported:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            consume(url, kafka, Path(lake), float(line))
        os.write(sys.stdout.fileno(), b"%d\n" % pid)


if __name__ == "__main__":
    main()
