"""The supervisor on its cheap services: what runs is kept, what is dead is started, what is not ours is left alone."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from everfit.doctor.examination import examine
from everfit.errors import StackError
from everfit.stack import ports, processes
from everfit.stack.postgres import Postgres
from everfit.stack.starter import leader
from everfit.stack.states import states
from everfit.stack.supervisor import Stack

CHEAP = ("postgres", "broker")
UP = f"""
import pathlib, sys
from everfit.stack.supervisor import Stack
Stack(pathlib.Path(sys.argv[1]), names={CHEAP}, on_step=lambda name, step: print(name, step, flush=True)).up()
"""


@pytest.fixture
def stack(home: Path, tmp_path: Path) -> Iterator[Stack]:
    """A stack of Postgres and broker on ports of its own; ended with the test."""
    environ = {"EVERFIT_KAFKA_PORT": str(ports.any_free()), "EVERFIT_CODE_PORT": str(ports.any_free())}
    made = Stack(home, project=tmp_path, names=CHEAP, environ=environ)
    yield made
    made.down()


def pids(home: Path) -> dict[str, int | None]:
    return {state.name: state.pid for state in states(home, CHEAP)}


def nothing_runs(home: Path) -> bool:
    """Neither marked processes, nor anything that names this home on its command line."""
    named = [p for p in psutil.process_iter(["cmdline"]) if any(str(home) in part for part in p.info["cmdline"] or [])]
    return processes.stack_processes(home) == [] and [process for process in named if processes.is_alive(process)] == []


def test_up_answers_is_up_again_and_down_leaves_nothing(stack: Stack, home: Path) -> None:
    told = stack.up()
    assert json.loads((home / "run" / "endpoints.json").read_text()) == {"format": 1, **told}
    assert [state.state for state in states(home, CHEAP)] == ["up", "up"]
    before = pids(home)
    on_step: list[tuple[str, str]] = []
    again = Stack(home, stack.project, CHEAP, stack.environ, on_step=lambda name, step: on_step.append((name, step)))
    assert again.up() == told
    assert on_step == [("postgres", "kept"), ("broker", "kept")]
    assert pids(home) == before
    assert stack.down() == ["postgres", "broker"]
    assert nothing_runs(home)
    assert not (home / "run" / "endpoints.json").exists()
    assert stack.down() == []


def test_what_died_is_started_anew_and_the_rest_is_kept(stack: Stack, home: Path) -> None:
    told = stack.up()
    before = pids(home)
    broker = leader(home, "broker")
    assert broker is not None
    broker.process.kill()
    processes.outlasting([broker.process], 5)
    assert [check.name for check in examine(home, {}) if check.todo.startswith("run `everfit up`")][:1] == ["broker"]
    assert stack.up() == told
    assert pids(home)["postgres"] == before["postgres"]
    assert pids(home)["broker"] != before["broker"]


def test_postgres_killed_comes_back_with_what_was_committed(stack: Stack, home: Path) -> None:
    stack.up()
    stack.postgres.create_databases(["kept"])
    server = stack.postgres.process()
    assert server is not None
    family = processes.family(server)
    server.kill()
    processes.outlasting(family, 10)
    stack.up()
    assert "kept" in stack.postgres.list_databases()


def test_a_stale_pid_never_ends_a_stranger(stack: Stack, home: Path) -> None:
    stack.up()
    stack.down()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (home / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{home}/postgres\n0\n5432\n{home}\n\n0 0\nready\n")
        stack.up()
        assert stack.postgres.answers()
        stack.down()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_that_was_asked_for_is_taken(stack: Stack, home: Path) -> None:
    with socket.create_server((ports.LOCAL, int(stack.environ["EVERFIT_KAFKA_PORT"]))):
        with pytest.raises(StackError, match=rf"EVERFIT_KAFKA_PORT=\d+ is taken by .*pid {os.getpid()}"):
            stack.up()
        assert nothing_runs(home)


def test_the_usual_port_is_taken(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with socket.create_server((ports.LOCAL, 0)) as strangers:
        usual = strangers.getsockname()[1]
        monkeypatch.setitem(ports.DEFAULTS, "broker", usual)
        unasked = Stack(stack.home, stack.project, CHEAP, {}, announce=said.append)
        told = unasked.up()
        unasked.down()
    assert told["kafka"] != f"127.0.0.1:{usual}"
    assert f"port {usual} is taken by" in said[0]


def test_two_at_once(stack: Stack, home: Path) -> None:
    (home / "run").mkdir(parents=True)
    with (home / "run" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StackError, match="another everfit"):
            stack.up()
        fcntl.flock(lock, fcntl.LOCK_UN)


@pytest.mark.parametrize("moment", ["postgres starting", "postgres started", "broker starting"])
@pytest.mark.parametrize("then", [Stack.up, Stack.down])
def test_killed_in_the_middle(stack: Stack, home: Path, moment: str, then: Callable[[Stack], object]) -> None:
    command = [sys.executable, "-c", UP, str(home)]
    environ = {**os.environ, **stack.environ, "PYTHONPATH": str(Path.cwd())}
    starter = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert starter.stdout
    with starter.stdout as told:
        assert moment in iter(lambda: told.readline().strip(), "")
        os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    then(stack)
    if then is Stack.up:
        assert [state.state for state in states(home, CHEAP)] == ["up", "up"]
        stack.down()
    assert nothing_runs(home)


def test_a_service_that_fails_shows_the_end_of_its_log(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "roofless").mkdir()
    (tmp_path / "roofless" / "__init__.py").write_text("raise RuntimeError('the roof is on fire')\n")
    monkeypatch.setenv("EVERFIT_MODELS", "roofless")
    broken = Stack(stack.home, tmp_path, ("postgres", "code"), stack.environ)
    with pytest.raises(StackError, match=r"(?s)code ended .*code\.log.*the roof is on fire"):
        broken.up()
    broken.down()


def test_what_was_half_made_is_removed(stack: Stack, home: Path) -> None:
    half_made = home / "postgres.making-1"
    half_made.mkdir(parents=True)
    assert [check.message for check in examine(home, {}) if check.name == "left over"] == [
        f"{half_made} belongs to no running stack"
    ]
    stack.down()
    assert not half_made.exists()


def test_postgres_in_a_folder_with_a_space(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "a folder" / "data")
    server.start()
    assert server.answers()
    server.stop()


def test_postgres_in_a_folder_too_deep_for_its_socket(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="set EVERFIT_HOME to a shorter path"):
        Postgres(tmp_path / ("deep" * 30)).start()
