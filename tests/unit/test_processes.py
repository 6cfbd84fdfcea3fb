"""Processes are told by their mark, and ended with all that they started."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from everfit.environment.settings import STACK
from everfit.stack import processes

Spawn = Callable[..., psutil.Process]

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
PARENT = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read()"


@pytest.fixture
def spawn(home: Path) -> Iterator[Spawn]:
    """Start a marked program; whatever still runs at the end of the test is killed."""
    children: list[subprocess.Popen[bytes]] = []

    def start(*command: str, stack: Path = home) -> psutil.Process:
        log = home / f"{len(children)}.log"
        marks = {STACK: str(stack), processes.SERVICE: "it", processes.PORT: "7", processes.RECIPE: "r"}
        children.append(processes.spawn(command, marks, Path("/"), log))
        return psutil.Process(children[-1].pid)

    yield start
    for child in children:
        child.kill()
        child.wait()


def test_found_by_its_mark_and_a_stranger_is_not(home: Path, spawn: Spawn, tmp_path: Path) -> None:
    ours = spawn("sleep", "60")
    spawn("sleep", "60", stack=tmp_path / "other")
    (found,) = processes.stack_processes(home)
    assert (found.process, found.service, found.port, found.recipe, found.leads) == (ours, "it", 7, "r", True)


def test_what_a_service_started_is_found_but_leads_nothing(home: Path, spawn: Spawn) -> None:
    leader = spawn(sys.executable, "-c", PARENT.replace("sys.stdin.read()", "__import__('time').sleep(60)"))
    child = psutil.Process(int(_first_line(home / "0.log", leader)))
    assert {(one.process, one.leads) for one in processes.stack_processes(home)} == {(leader, True), (child, False)}
    leader.kill()
    processes.outlasting([leader], 5)
    assert [(one.process, one.leads) for one in processes.stack_processes(home)] == [(child, False)]
    processes.end([child], 5)
    assert processes.stack_processes(home) == []


def test_one_that_does_not_listen_is_killed(home: Path, spawn: Spawn) -> None:
    deaf = spawn(sys.executable, "-c", STUBBORN)
    assert _first_line(home / "0.log", deaf) == "deaf"
    processes.end([deaf], grace_seconds=0.1)
    assert not processes.is_alive(deaf)


def test_the_log_before_is_kept_beside(home: Path, spawn: Spawn) -> None:
    for word in ("first", "second"):
        child = processes.spawn(["echo", word], {}, Path("/"), home / "logs" / "it.log")
        assert child.wait() == 0
    assert (home / "logs" / "it.log").read_text() == "second\n"
    assert (home / "logs" / "it.log.1").read_text() == "first\n"


def test_memory_of_what_has_ended_is_nothing(spawn: Spawn) -> None:
    process = spawn("sleep", "60")
    assert processes.proportional_bytes([process]) > 0
    processes.end([process], 5)
    assert processes.proportional_bytes([process]) == 0


def _first_line(log: Path, writer: psutil.Process) -> str:
    """The first line that a living process writes."""
    while "\n" not in log.read_text():
        assert processes.is_alive(writer), log.read_text()
    return log.read_text().splitlines()[0]
