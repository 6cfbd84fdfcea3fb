"""Start services: what runs and answers is kept, the others are started, in parallel where neither needs the other."""

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

IDLE_SECONDS = 90.0  # without an answer, a line in its log or a second of processor time
DEADLINE_SECONDS = 600.0  # in total, idle or not
GRACE_SECONDS = 15.0
POLL_SECONDS = 0.1

StepListener = Callable[[str, Literal["starting", "started", "kept"]], None]


@dataclass
class Starter:
    """Starts the services of one stack. ``children`` are the processes that this process started and must reap."""

    home: Path
    project: Path
    on_step: StepListener
    children: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def start_all(self, services: Sequence[Service]) -> None:
        """Start all services, each after those it needs.

        Raises:
            StackError: the first failure; services that are up by then stay up.
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
        """Start one service and wait until it answers.

        Raises:
            StackError: when it ends or does not answer in time; the message ends with its log.
        """
        running = leader(self.home, service.name)
        if running and running.recipe == service.recipe and self._answers(service, running.process, _patience(running.process)):
            service.prepare()
            self.on_step(service.name, "kept")
            return
        self.on_step(service.name, "starting")
        processes.end(
            (member.process for member in processes.stack_processes(self.home) if member.service == service.name), GRACE_SECONDS
        )
        process = self._spawn(service)
        if not self._answers(service, process, IDLE_SECONDS):
            how = "does not answer" if processes.is_alive(process) else "ended"
            log = log_file(self.home, service.name)
            raise StackError(
                f"{service.name} {how} ({address(service.name, service.port)}); its log, {log}, ends with\n{tail(log)}"
            )
        service.prepare()
        self.on_step(service.name, "started")

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
        """Bytes of its log and whole seconds of processor time of its processes: what grows while a service starts."""
        log = log_file(self.home, service.name)
        return (log.stat().st_size if log.exists() else 0, int(processes.seconds_of_work(processes.family(process))))

    def _answers(self, service: Service, process: psutil.Process, seconds: float) -> bool:
        """Wait until it is ready (True), or has ended, made no progress for ``seconds``, or exceeded the deadline (False)."""
        began = moved_at = time.monotonic()
        work, started = self._work(service, process), process.create_time()
        while not is_ready(service.name, service.port, started):
            now = time.monotonic()
            before, work = work, self._work(service, process)
            moved_at = now if work != before else moved_at
            if not processes.is_alive(process) or now - moved_at > seconds or now - began > DEADLINE_SECONDS:
                return False
            if self.cancelled.wait(POLL_SECONDS):
                raise StackError(f"{service.name} was not awaited: another service failed")
        return True


def _patience(process: psutil.Process) -> float:
    """Seconds that a running process may be idle without an answer; more where it was started a moment ago."""
    return max(5.0, IDLE_SECONDS - (time.time() - process.create_time()))


def leader(home: Path, name: str) -> processes.StackProcess | None:
    """The running process of a service, if there is one."""
    return next((member for member in processes.stack_processes(home) if member.service == name and member.leads), None)
