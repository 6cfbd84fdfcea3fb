"""The whole stack by its commands, once: up, looked at, up again, down."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from everfit.embedded import ports, processes
from everfit.embedded.postgres import Postgres
from everfit.settings import Settings

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


@pytest.mark.usefixtures("on_free_ports")
def test_the_whole_stack(home: Path) -> None:
    first = everfit("up")
    assert first.returncode == 0, first.stderr
    settings = Settings.load({"EVERFIT_HOME": str(home)})
    for told in (settings.dagster, settings.mlflow, settings.serving, settings.kafka, settings.database_url):
        assert told in first.stdout

    looked = json.loads(everfit("status", "--json").stdout)
    assert {service["name"]: service["state"] for service in looked["services"]} == dict.fromkeys(
        ["postgres", "broker", "mlflow", "code", "dagster", "daemon", "serving"], "up"
    )
    assert looked["memory_bytes"] < MEMORY_BYTES
    assert _listening_at(home) <= THIS_MACHINE
    doctor = everfit("doctor")
    assert doctor.returncode == 0, doctor.stdout

    again = everfit("up")
    assert again.stdout.startswith("everfit is already up")
    after = json.loads(everfit("status", "--json").stdout)
    assert [service["pid"] for service in after["services"]] == [service["pid"] for service in looked["services"]]

    assert everfit("down").returncode == 0
    assert processes.marked(home) == []
    assert Postgres(home / "postgres").process() is None


def _listening_at(home: Path) -> set[str]:
    """The addresses that anything of the stack listens on."""
    ours = {one.process.pid for one in processes.marked(home)}
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid in ours]
    assert len(listening) == len(ports.DEFAULTS)
    return {connection.laddr.ip for connection in listening if connection.laddr}
