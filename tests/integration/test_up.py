"""The whole stack by its commands, once: up, looked at, up again, down."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from everfit.environment.settings import Settings
from everfit.stack import ports, processes
from everfit.stack.postgres import Postgres
from everfit.stack.starter import leader
from everfit.store import heartbeats
from everfit.store.database import create_engine
from everfit.store.heartbeats import SENSOR
from everfit.waiting import wait_until
from tests.hooks import Hook, listening

MEMORY_BYTES = 3e9
THIS_MACHINE = {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def everfit(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "everfit.cli.main", *arguments]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)


@pytest.fixture
def on_free_ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ports.VARIABLES.values():
        monkeypatch.setenv(variable, str(ports.any_free()))
    yield
    everfit("down")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A webhook that the stack alerts, soon."""
    with listening() as hook:
        monkeypatch.setenv("EVERFIT_ALERT_WEBHOOK", hook.url)
        monkeypatch.setenv("EVERFIT_ALERT_SILENCE", "20s")
        yield hook


@pytest.mark.usefixtures("on_free_ports")
def test_the_whole_stack(home: Path, hook: Hook) -> None:
    first = everfit("up")
    assert first.returncode == 0, first.stderr
    settings = Settings.load({"EVERFIT_HOME": str(home)})
    for told in (settings.dagster, settings.mlflow, settings.serving, settings.kafka, settings.database_url):
        assert told in first.stdout

    looked = json.loads(everfit("status", "--json").stdout)
    assert {service["name"]: service["state"] for service in looked["services"]} == dict.fromkeys(
        ["postgres", "broker", "mlflow", "code", "dagster", "daemon", "serving", "comparators"], "up"
    )
    assert looked["memory_bytes"] < MEMORY_BYTES
    assert _listening_at(home) <= THIS_MACHINE
    doctor = everfit("doctor")
    assert doctor.returncode == 0, doctor.stdout

    _tells_that_the_daemon_died(home, settings, hook)

    again = everfit("up")
    assert "daemon      up after" in again.stdout
    assert everfit("up").stdout.startswith("everfit is already up")
    after = json.loads(everfit("status", "--json").stdout)
    same = {service["name"]: service["pid"] for service in looked["services"] if service["name"] != "daemon"}
    assert {service["name"]: service["pid"] for service in after["services"] if service["name"] in same} == same

    assert everfit("down").returncode == 0
    assert processes.stack_processes(home) == []
    assert Postgres(home / "postgres").process() is None


def _tells_that_the_daemon_died(home: Path, settings: Settings, hook: Hook) -> None:
    """Serving does, and `status` and `doctor`; nobody else is left."""
    metrics = f"{settings.serving}/metrics"
    wait_until(
        lambda: "everfit_loop_age_seconds" in httpx.get(metrics, trust_env=False).text and _passed(home),
        bool,
        "a first pass of the loop;",
    )
    wait_until(lambda: _told(hook)[-1:] != ["raised"], bool, "the end of what was told while the stack started;")
    daemon = leader(home, "daemon")
    assert daemon is not None
    processes.end(processes.family(daemon.process), 5)
    wait_until(lambda: _told(hook)[-1:] == ["raised"], bool, "serving to tell;")
    states = {line.split()[0]: line.split()[1] for line in everfit("status").stdout.splitlines() if "last tick" in line}
    assert states["prediction_log"] == "dead"
    assert "WRONG daemon: does not run" in everfit("doctor").stdout


def _told(hook: Hook) -> list[str]:
    """What was told of a loop that has stopped, in order."""
    return [posted["state"] for posted in hook.posted if posted["cause"] == "stopped"]


def _passed(home: Path) -> bool:
    engine = create_engine(Settings.load({"EVERFIT_HOME": str(home)}).database_url)
    try:
        with engine.connect() as connection:
            return SENSOR in heartbeats.newest(connection)
    finally:
        engine.dispose()


def _listening_at(home: Path) -> set[str]:
    """The addresses that anything of the stack listens on."""
    ours = {one.process.pid for one in processes.stack_processes(home)}
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid in ours]
    assert len(listening) == len(ports.DEFAULTS)
    return {connection.laddr.ip for connection in listening if connection.laddr}
