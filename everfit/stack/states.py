"""What of the stack runs, since when, where, with how much memory, and what is wrong with it."""

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
    """One service. ``memory_bytes`` counts what it started too, pages that are shared divided among the sharers."""

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
    found = processes.marked(home)
    return [
        _postgres(Postgres(home / "postgres"))
        if name == POSTGRES
        else _service(home, name, [m for m in found if m.service == name])
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


def _service(home: Path, name: str, found: list[processes.Marked]) -> State:
    memory = processes.proportional_bytes(one.process for one in found)
    lead = next((one for one in found if one.leads), None)
    if lead is None:
        pids = ", ".join(str(one.process.pid) for one in found)
        left = f"it left {pids} behind; `everfit up` or `everfit down` ends them" if found else ""
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
