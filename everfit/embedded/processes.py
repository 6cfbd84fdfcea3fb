"""Processes of the stack: started detached, found again by a mark in their environment, ended with all they started.

There are no pid files: a number in a file may by now belong to a stranger, the environment of a living process cannot.
"""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

STACK, SERVICE, RECIPE, PORT = "EVERFIT_STACK", "EVERFIT_SERVICE", "EVERFIT_RECIPE", "EVERFIT_PORT"


@dataclass(frozen=True, slots=True)
class Marked:
    """A living process of a stack. ``leads`` where it is the service itself and not something that the service started."""

    process: psutil.Process
    service: str
    recipe: str
    port: int
    leads: bool


def spawn(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own, so that it outlives its starter; its output is appended to ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def marked(home: Path) -> list[Marked]:
    """The living processes that carry the mark of the stack in ``home``, orphans included; the caller's own is left out."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get(STACK) == str(home) and process.pid != os.getpid():
                found.append(_read(process, environment))
        except (psutil.Error, ProcessLookupError):  # a stranger's, or one that has just ended
            continue
    return found


def _read(process: psutil.Process, environment: Mapping[str, str]) -> Marked:
    return Marked(
        process=process,
        service=environment.get(SERVICE, ""),
        recipe=environment.get(RECIPE, ""),
        port=int(environment.get(PORT) or 0),
        leads=os.getsid(process.pid) == process.pid,
    )


def end(processes: Iterable[psutil.Process], grace_seconds: float) -> None:
    """Ask processes to end, wait, and kill what has not; returns when none is left."""
    asked = list(processes)
    for process in asked:
        _signal(process, kill=False)
    _, left = psutil.wait_procs(asked, timeout=grace_seconds)
    for process in left:
        _signal(process, kill=True)
    psutil.wait_procs(left)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that descend from it; nothing where it has ended."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def proportional_bytes(processes: Iterable[psutil.Process]) -> int:
    """Memory held, shared pages divided among those who share them (PSS); what has ended holds none."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total
