"""Bring services up: what runs and answers is kept, the rest is started, side by side where one does not need the other."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from everfit.environment.settings import STACK
from everfit.errors import StackError
from everfit.stack import processes
from everfit.stack.logs import log_file, tail
from everfit.stack.services import Service, address, is_ready

IDLE_SECONDS = 90.0  # without an answer, a line in its log or a second of work
DEADLINE_SECONDS = 600.0  # in all, at work or not
GRACE_SECONDS = 15.0
POLL_SECONDS = 0.1

Heard = Callable[[str, Literal["starting", "started", "kept"]], None]


@dataclass
class Starter:
    """Starts the services of one stack. ``children`` are those that this process started and has to reap."""

    home: Path
    project: Path
    heard: Heard
    children: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def start_all(self, services: Sequence[Service]) -> None:
        """Bring all up, each after those it needs.

        Raises:
            StackError: the first failure; what is up by then stays up.
        """
        futures: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(max(1, len(services))) as pool:
            for service in services:
                needed = [futures[name] for name in service.needs if name in futures]
                futures[service.name] = pool.submit(self._after, needed, service)
            try:
                for future in futures.values():
                    future.result()
            except BaseException:
                self.cancelled.set()
                raise

    def _after(self, needed: "Sequence[Future[None]]", service: Service) -> None:
        for future in needed:
            future.result()
        self.start(service)

    def start(self, service: Service) -> None:
        """Bring one service up and wait until it answers.

        Raises:
            StackError: when it ends or does not answer in time; the message ends with its log.
        """
        running = leader(self.home, service.name)
        if running and running.recipe == service.recipe and self._answers(service, running.process, _patience(running.process)):
            service.prepare()
            self.heard(service.name, "kept")
            return
        self.heard(service.name, "starting")
        processes.end((one.process for one in processes.marked(self.home) if one.service == service.name), GRACE_SECONDS)
        process = self._spawn(service)
        if not self._answers(service, process, IDLE_SECONDS):
            how = "does not answer" if processes.is_alive(process) else "ended"
            log = log_file(self.home, service.name)
            raise StackError(
                f"{service.name} {how} ({address(service.name, service.port)}); its log, {log}, ends with\n{tail(log)}"
            )
        service.prepare()
        self.heard(service.name, "started")

    def _spawn(self, service: Service) -> psutil.Process:
        marks = {
            STACK: str(self.home),
            processes.SERVICE: service.name,
            processes.RECIPE: service.recipe,
            processes.PORT: str(service.port),
        }
        log = log_file(self.home, service.name)
        child = processes.spawn(service.command, {**service.environment, **marks}, self.project, log)
        self.children.append(child)
        return psutil.Process(child.pid)

    def _work(self, service: Service, process: psutil.Process) -> tuple[int, int]:
        """What grows while a service starts: its log, and the whole seconds of work of it and of what it started."""
        log = log_file(self.home, service.name)
        return (log.stat().st_size if log.exists() else 0, int(processes.seconds_of_work(processes.family(process))))

    def _answers(self, service: Service, process: psutil.Process, seconds: float) -> bool:
        """Ask until it answers and is ready, ends, or has shown no progress for so many seconds, or for too long at all."""
        began = moved_at = time.monotonic()
        work, started = self._work(service, process), process.create_time()
        while not is_ready(service.name, service.port, started):
            now = time.monotonic()
            before, work = work, self._work(service, process)
            moved_at = now if work != before else moved_at
            if not processes.is_alive(process) or now - moved_at > seconds or now - began > DEADLINE_SECONDS:
                return False
            if self.cancelled.wait(POLL_SECONDS):
                raise StackError(f"{service.name} was not waited for: another service failed")
        return True


def _patience(process: psutil.Process) -> float:
    """How long a running process may still be idle without an answer: it may have been started a moment ago."""
    return max(5.0, IDLE_SECONDS - (time.time() - process.create_time()))


def leader(home: Path, name: str) -> processes.Marked | None:
    """The running process of a service, if there is one."""
    return next((one for one in processes.marked(home) if one.service == name and one.leads), None)
