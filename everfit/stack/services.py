"""The services of the stack: the command, environment and dependencies of each, and how it answers."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from everfit.dagster_api.names import DEFINITIONS, LOCATION
from everfit.environment.settings import VARIABLES
from everfit.stack import apache_kafka, broker, health
from everfit.stack.ports import LOCAL
from everfit.stack.postgres import Postgres
from everfit.topics.admin import create_topics

POSTGRES, BROKER = "postgres", "broker"
SERVICES = (POSTGRES, BROKER, "mlflow", "code", "dagster", "daemon", "serving", "comparators")
HEALTH = {"mlflow": "/health", "dagster": "/server_info", "serving": "/v2/health/live"}
READY = {"serving": "/v2/health/ready"}  # a service that answers may not be ready yet

_THRIFTY = {"MALLOC_ARENA_MAX": "2"}  # glibc would keep up to eight heaps per core
_QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}
_COMMON = {**_THRIFTY, **_QUIET, "PYTHONUNBUFFERED": "1"}
_BATCHES = {"DAGSTER_EVENT_BATCH_SIZE": "200"}  # events that a run writes per statement


@dataclass(frozen=True, slots=True)
class Service:
    """One program of the stack. ``prepare`` runs each time it is up; ``port`` is where it answers."""

    name: str
    command: list[str]
    port: int  # 0 where it answers nobody
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = lambda: None

    @property
    def recipe(self) -> str:
        """A digest of command and environment: a running process with another one must be restarted."""
        contents = json.dumps([self.command, dict(self.environment)], sort_keys=True)
        return hashlib.sha256(contents.encode()).hexdigest()[:16]


def address(name: str, port: int) -> str:
    """The address of a service: a URL where it speaks HTTP, the daemon's that of Dagster's webserver; empty without a port."""
    if not port:
        return ""
    return f"http://{LOCAL}:{port}" if name in {*HEALTH, "daemon"} else f"{LOCAL}:{port}"


def answers(name: str, port: int, since: float) -> bool:
    """Whether a service, started at ``since`` (Unix time), answers."""
    where = address(name, port)
    match name:
        case "broker":
            return broker.answers(where)
        case "code":
            return health.grpc(where, "DagsterApi")
        case "daemon":
            return health.daemon(where, since)
        case "comparators":
            return True  # it is up while it runs
        case _:
            return health.http(where + HEALTH[name])


def is_ready(name: str, port: int, since: float) -> bool:
    """Whether a service, started at ``since`` (Unix time), is ready for work: serving has loaded every champion."""
    return health.http(address(name, port) + READY[name]) if name in READY else answers(name, port, since)


def endpoints(
    home: Path, postgres: Postgres, ports: Mapping[str, int], given: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """The addresses of all parts, chosen and ``given``, by the names of :class:`everfit.environment.settings.Settings`."""
    web = {name: address(name, ports[name]) for name in HEALTH if name in ports}
    kafka = {"kafka": address(BROKER, ports[BROKER])} if BROKER in ports else {}
    return {"database_url": postgres.url("everfit"), **kafka, **web, "lake": str(home / "lake"), **given}


def build(
    home: Path,
    project: Path,
    postgres: Postgres,
    ports: Mapping[str, int],
    *,
    real_kafka: bool = False,
    given: Mapping[str, str] = MappingProxyType({}),
) -> list[Service]:
    """The services named in ``ports``, and Dagster's daemon with its webserver; each comes after those it needs.

    ``project`` is the folder that models are imported from; ``PYTHONPATH`` does not name it, so that none of its modules
    hides one of everfit's. With ``real_kafka`` the broker is Apache Kafka; parts whose addresses are ``given`` are used by all
    services, and not among them.
    """
    addresses_of_parts = {VARIABLES[name]: value for name, value in endpoints(home, postgres, ports, given).items()}
    automation = {"EVERFIT_AUTOMATION": os.environ.get("EVERFIT_AUTOMATION") or "on"}  # off everywhere else
    own = {"EVERFIT_HOME": str(home), "PYTHONPATH": _python_path(home, project), "DAGSTER_HOME": str(home / "dagster")}
    environment = {**_COMMON, **_BATCHES, **addresses_of_parts, **automation, **own}
    makers: dict[str, Callable[[int], list[Service]]] = {
        BROKER: partial(_broker, home / "kafka" if real_kafka else None),
        "mlflow": partial(_mlflow, home / "mlflow", postgres.url("mlflow", "psycopg2")),
        "code": partial(_code, environment),
        "dagster": partial(_dagster, home / "dagster" / "workspace.yaml", environment),
        "serving": partial(_serving, environment),
    }
    return [service for name, make in makers.items() if name in ports for service in make(ports[name])]


def _python_path(home: Path, project: Path) -> str:
    """What ``PYTHONPATH`` names, but the project. First stands a folder without modules: Dagster drops the first at times."""
    entries = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return os.pathsep.join([str(home / "dagster"), *(one for one in entries if Path(one).resolve() != project.resolve())])


def _python(*arguments: object) -> list[str]:
    """A program of Python's; ``-P`` keeps the folder that it is started in from the front of its path."""
    return [sys.executable, "-P", "-m", *map(str, arguments)]


def _broker(kafka_folder: Path | None, port: int) -> list[Service]:
    command = apache_kafka.prepare(kafka_folder, port) if kafka_folder else broker.command(port)
    return [Service(BROKER, command, port, prepare=partial(create_topics, address(BROKER, port)))]


def _mlflow(artifacts: Path, database_url: str, port: int) -> list[Service]:
    store = {
        "MLFLOW_BACKEND_STORE_URI": database_url,
        "MLFLOW_ARTIFACTS_DESTINATION": artifacts.as_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its seven workers would use a gigabyte
    }
    command = _python("mlflow", "server", "--host", LOCAL, "--port", port, "--workers", 1)
    return [Service("mlflow", command, port, {**_COMMON, **store})]


def _code(environment: Mapping[str, str], port: int) -> list[Service]:
    serve = ("api", "grpc", "-m", DEFINITIONS, "--empty-working-directory", "--location-name", LOCATION)
    return [
        Service("code", _python("dagster", *serve, "--host", LOCAL, "--port", port), port, environment),
        Service("comparators", _python("everfit.cli.main", "comparators"), 0, environment),
    ]


def _dagster(workspace: Path, environment: Mapping[str, str], port: int) -> list[Service]:
    webserver = _python("dagster_webserver", "--host", LOCAL, "--port", port, "--workspace", workspace)
    daemon = _python("dagster._daemon", "run", "--workspace", workspace)
    return [
        Service("dagster", webserver, port, environment, ("code",)),
        Service("daemon", daemon, port, environment, ("code",)),
    ]


def _serving(environment: Mapping[str, str], port: int) -> list[Service]:
    command = _python("everfit.serving", "--host", LOCAL, "--port", port)
    return [Service("serving", command, port, environment, (BROKER, "mlflow"))]
