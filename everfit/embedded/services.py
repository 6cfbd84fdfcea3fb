"""What the stack consists of: for each service its program, its environment, what it needs and how it answers."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from everfit.embedded import broker, health
from everfit.embedded.postgres import Postgres
from everfit.settings import VARIABLES

POSTGRES = "postgres"
BROKER = "broker"
SERVICES = (POSTGRES, BROKER, "mlflow", "code", "dagster", "daemon", "serving")
BASE_SERVICES = (POSTGRES, BROKER)

_THRIFTY = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
_QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True)
class Service:
    """One program of the stack. ``answers`` is asked with its process; ``prepare`` runs each time that it answers."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    answers: Callable[[psutil.Process], bool]
    port: int = 0
    address: str = ""
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = field(default=lambda: None)

    @property
    def recipe(self) -> str:
        """Changes with anything that a running process would have to be started anew for."""
        return hashlib.sha256(json.dumps([self.command, dict(self.environment)], sort_keys=True).encode()).hexdigest()[:16]


def addresses(home: Path, postgres: Postgres, ports: Mapping[str, int]) -> dict[str, str]:
    """What ``endpoints.json`` says: by the names of :class:`everfit.settings.Settings`, for the services that have a port."""
    web = {name: f"http://127.0.0.1:{ports[name]}" for name in ("mlflow", "serving", "dagster") if name in ports}
    kafka = {"kafka": f"127.0.0.1:{ports[BROKER]}"} if BROKER in ports else {}
    return {"database_url": postgres.url("everfit"), **kafka, **web, "lake": str(home / "lake")}


def build(home: Path, project: Path, postgres: Postgres, ports: Mapping[str, int]) -> list[Service]:
    """All services that have a port in ``ports``, and Dagster's daemon where its webserver has one; in order of their needs.

    ``project`` is the folder that the models are imported from.
    """
    told = addresses(home, postgres, ports)
    variables = {VARIABLES[name]: value for name, value in told.items()}
    shared = {**_THRIFTY, **_QUIET, **variables, "EVERFIT_HOME": str(home), "PYTHONPATH": str(project)}
    made = [_MAKERS[name](home, postgres, ports, shared) for name in SERVICES if name in ports and name in _MAKERS]
    if "dagster" in ports:
        made.append(_daemon(home, ports["dagster"], shared))
    return made


def _broker(_home: Path, _postgres: Postgres, ports: Mapping[str, int], _shared: Mapping[str, str]) -> Service:
    port = ports[BROKER]
    address = f"127.0.0.1:{port}"
    return Service(
        name=BROKER,
        command=broker.command(port),
        environment={},
        port=port,
        address=address,
        answers=lambda _: broker.answers(address),
        prepare=partial(broker.create_topics, address),
    )


def _mlflow(home: Path, postgres: Postgres, ports: Mapping[str, int], _shared: Mapping[str, str]) -> Service:
    port = ports["mlflow"]
    store = {
        "MLFLOW_BACKEND_STORE_URI": postgres.url("mlflow", "psycopg2"),
        "MLFLOW_ARTIFACTS_DESTINATION": (home / "mlflow").as_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its seven workers would take a gigabyte
    }
    listen = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    return _web("mlflow", ["-m", "mlflow", "server", *listen], {**_THRIFTY, **_QUIET, **store}, port, "/health")


def _code(home: Path, _postgres: Postgres, ports: Mapping[str, int], shared: Mapping[str, str]) -> Service:
    port = ports["code"]
    address = f"127.0.0.1:{port}"
    serve = ["api", "grpc", "-m", "orchestration.definitions", "--host", "127.0.0.1", "--port", str(port)]
    return Service(
        name="code",
        command=[sys.executable, "-m", "dagster", *serve, "--location-name", "everfit"],
        environment={**shared, "DAGSTER_HOME": str(home / "dagster")},
        port=port,
        address=address,
        answers=lambda _: health.grpc(address, "DagsterApi"),
    )


def _dagster(home: Path, _postgres: Postgres, ports: Mapping[str, int], shared: Mapping[str, str]) -> Service:
    port = ports["dagster"]
    folder = home / "dagster"
    workspace = ["--workspace", str(folder / "workspace.yaml")]
    command = ["-m", "dagster_webserver", "--host", "127.0.0.1", "--port", str(port), *workspace]
    return _web("dagster", command, {**shared, "DAGSTER_HOME": str(folder)}, port, "/server_info", "code")


def _daemon(home: Path, webserver_port: int, shared: Mapping[str, str]) -> Service:
    folder = home / "dagster"
    return Service(
        name="daemon",
        command=[sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(folder / "workspace.yaml")],
        environment={**shared, "DAGSTER_HOME": str(folder)},
        answers=lambda process: health.daemon(f"http://127.0.0.1:{webserver_port}", process.create_time()),
        needs=("code",),
    )


def _serving(_home: Path, _postgres: Postgres, ports: Mapping[str, int], shared: Mapping[str, str]) -> Service:
    port = ports["serving"]
    command = ["-m", "everfit.serving", "--host", "127.0.0.1", "--port", str(port)]
    return _web("serving", command, shared, port, "/v2/health/live", BROKER, "mlflow")


def _web(name: str, command: list[str], environment: Mapping[str, str], port: int, probe: str, *needs: str) -> Service:
    url = f"http://127.0.0.1:{port}"
    return Service(
        name=name,
        command=[sys.executable, *command],
        environment=environment,
        port=port,
        address=url,
        answers=lambda _: health.http(url + probe),
        needs=needs,
    )


_MAKERS = {BROKER: _broker, "mlflow": _mlflow, "code": _code, "dagster": _dagster, "serving": _serving}
