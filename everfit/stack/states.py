"""The state of each service of a stack: whether it runs, since when, where, its memory, and what is wrong."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from everfit.stack import processes
from everfit.stack.logs import log_file
from everfit.stack.postgres import Postgres
from everfit.stack.services import POSTGRES, SERVICES, address, answers


@dataclass(frozen=True, slots=True)
class State:
    """One service. ``memory_bytes`` includes its descendants; shared pages are divided among their users."""

    name: str
    state: Literal["up", "silent", "down"]
    pid: int | None = None
    address: str = ""
    uptime_seconds: float = 0.0
    memory_bytes: int = 0
    problem: str = ""


def states(home: Path, names: Sequence[str] = SERVICES) -> list[State]:
    """The state of each service of the stack in ``home``."""
    home = home.resolve()
    members = processes.stack_processes(home)
    return [
        _postgres(Postgres(home / "postgres"))
        if name == POSTGRES
        else _service(home, name, [m for m in members if m.service == name])
        for name in names
    ]


def _postgres(postgres: Postgres) -> State:
    process = postgres.process()
    if process is None:
        return State(POSTGRES, "down")
    answering = postgres.answers()
    return State(
        name=POSTGRES,
        state="up" if answering else "silent",
        pid=process.pid,
        address=postgres.url("everfit"),
        uptime_seconds=time.time() - process.create_time(),
        memory_bytes=processes.proportional_bytes(processes.family(process)),
        problem="" if answering else f"runs but does not answer; see {postgres.log}",
    )


def _service(home: Path, name: str, members: list[processes.StackProcess]) -> State:
    memory = processes.proportional_bytes(member.process for member in members)
    lead = next((member for member in members if member.leads), None)
    if lead is None:
        pids = ", ".join(str(member.process.pid) for member in members)
        left = f"it left {pids} behind; `everfit up` or `everfit down` ends them" if members else ""
        return State(name, "down", memory_bytes=memory, problem=left)
    since = lead.process.create_time()
    answering = answers(name, lead.port, since)
    return State(
        name=name,
        state="up" if answering else "silent",
        pid=lead.process.pid,
        address=address(name, lead.port),
        uptime_seconds=time.time() - since,
        memory_bytes=memory,
        problem="" if answering else f"runs but does not answer; see {log_file(home, name)}",
    )
