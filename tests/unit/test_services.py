"""The recipes of the stack's services."""

import json
from pathlib import Path

import pytest

from everfit.stack.dagster_home import write_dagster_home
from everfit.stack.postgres import Postgres
from everfit.stack.services import SERVICES, Service, build, endpoints

PORTS = {"broker": 9092, "mlflow": 5000, "code": 4000, "dagster": 3000, "serving": 8000}


@pytest.fixture
def postgres() -> Postgres:
    """A server that need not run for its URL to be told."""
    return Postgres(Path("/sockets"))


def services(home: Path, postgres: Postgres, **ports: int) -> dict[str, Service]:
    built = build(home, Path("/project"), postgres, {**PORTS, **ports})
    return {service.name: service for service in built}


def test_each_comes_after_what_it_needs(home: Path, postgres: Postgres) -> None:
    built = build(home, Path("/project"), postgres, PORTS)
    assert {service.name for service in built} | {"postgres"} == set(SERVICES)
    for n, service in enumerate(built):
        assert set(service.needs) <= {earlier.name for earlier in built[:n]}


def test_a_changed_address_changes_the_recipes_of_those_who_were_told_it(home: Path, postgres: Postgres) -> None:
    before, after = services(home, postgres), services(home, postgres, broker=9093)
    changed = {name for name in before if before[name].recipe != after[name].recipe}
    assert changed == {"broker", "code", "dagster", "daemon", "serving", "comparators"}


def test_all_listen_on_this_machine_alone(home: Path, postgres: Postgres) -> None:
    for service in services(home, postgres).values():
        if service.name not in ("daemon", "comparators"):
            assert any("127.0.0.1" in argument for argument in service.command), service.command
        assert not any("0.0.0.0" in argument for argument in service.command)


def test_the_definitions_are_told_every_address(home: Path, postgres: Postgres) -> None:
    told = services(home, postgres)["code"].environment
    assert told["EVERFIT_DATABASE_URL"] == "postgresql+psycopg://postgres:@/everfit?host=/sockets"
    assert told["EVERFIT_KAFKA_BOOTSTRAP"] == "127.0.0.1:9092"
    assert told["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"


def test_the_project_is_not_on_the_path_that_services_start_with(
    home: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/project/:/libraries:")
    for name in ("code", "dagster", "daemon", "serving", "comparators"):
        service = services(home, postgres)[name]
        assert service.environment["PYTHONPATH"] == f"{home}/dagster:/libraries"
        assert service.command[1:3] == ["-P", "-m"]


def test_endpoints_name_what_has_a_port(home: Path, postgres: Postgres) -> None:
    assert endpoints(home, postgres, {"broker": 1}).keys() == {"database_url", "kafka", "lake"}
    assert endpoints(home, postgres, PORTS).keys() == {"database_url", "kafka", "mlflow", "serving", "dagster", "lake"}


def test_dagster_accepts_its_instance_and_keeps_its_state_at_home(home: Path) -> None:
    from dagster._core.instance.config import dagster_instance_config

    folder = write_dagster_home(home, "postgresql+psycopg2://postgres:@/dagster?host=/sockets", 4000)
    settings, _ = dagster_instance_config(str(folder))
    assert settings["telemetry"] == {"enabled": False}
    assert settings["storage"]["postgres"]["postgres_url"].startswith("postgresql+psycopg2://")
    for kept in ("local_artifact_storage", "compute_logs"):
        assert str(settings[kept]).count(str(home)) == 1
    (server,) = json.loads((folder / "workspace.yaml").read_text())["load_from"]
    assert server["grpc_server"] == {"host": "127.0.0.1", "port": 4000, "location_name": "everfit"}
