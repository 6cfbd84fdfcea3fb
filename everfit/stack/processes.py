"""Processes of the stack: started detached, recognised by a mark in their environment, ended with their descendants.

There are no pid files: a pid in a file may by now belong to another process, the environment of a process cannot.
"""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from everfit.environment.settings import STACK

SERVICE, RECIPE, PORT = "EVERFIT_SERVICE", "EVERFIT_RECIPE", "EVERFIT_PORT"
POLL_SECONDS = 0.02
KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StackProcess:
    """A running process of a stack. ``leads`` is True for the service itself, False for what the service started."""

    process: psutil.Process
    service: str
    recipe: str
    port: int
    leads: bool


def spawn(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own, so that it outlives its starter; its output goes to a new file ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stack_processes(home: Path) -> list[StackProcess]:
    """Running processes that carry the mark of the stack in ``home``, orphans included, the caller excluded."""
    members = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get(STACK) == str(home) and process.pid != os.getpid():
                members.append(_read(process, environment))
        except (psutil.Error, ProcessLookupError):  # another user's process, or one that has just ended
            continue
    return members


def _read(process: psutil.Process, environment: Mapping[str, str]) -> StackProcess:
    return StackProcess(
        process=process,
        service=environment.get(SERVICE, ""),
        recipe=environment.get(RECIPE, ""),
        port=int(environment.get(PORT) or 0),
        leads=os.getsid(process.pid) == process.pid,
    )


def end(processes: Iterable[psutil.Process], grace_seconds: float) -> None:
    """Signal processes to end, wait, and kill the remaining ones; returns when none is left."""
    ending = list(processes)
    for process in ending:
        _signal(process, kill=False)
    for process in outlasting(ending, grace_seconds):
        _signal(process, kill=True)
    outlasting(ending, KILL_SECONDS)


def outlasting(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end; returns those that still run after ``seconds``."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if is_alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = [process for process in left if is_alive(process)]
    return left


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its descendants; empty where it has ended."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def seconds_of_work(processes: Iterable[psutil.Process]) -> float:
    """Seconds of processor time used; ended processes count as 0."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        total += times.user + times.system
    return total


def proportional_bytes(processes: Iterable[psutil.Process]) -> int:
    """Bytes of memory used, shared pages divided among their users (PSS); ended processes count as 0."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total
