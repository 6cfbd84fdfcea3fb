"""One set of addresses for every process: each address, given to each of the commands, beside a stack that uses another."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from everfit.cli.main import app
from everfit.environment.addresses import same_place, without_password
from everfit.environment.settings import VARIABLES, Settings, conflicts
from everfit.errors import SettingsError, StackError
from everfit.stack.external_parts import given_parts, managed, run_here
from everfit.stack.parts_in_use import Uses, differences, uses_of
from everfit.stack.postgres import Postgres
from everfit.stack.services import SERVICES, build, endpoints
from everfit.stack.supervisor import Stack

RUNNING = {
    "database_url": "postgresql+psycopg://postgres:@/everfit?host=/home/postgres",
    "kafka": "127.0.0.1:9092",
    "mlflow": "http://127.0.0.1:5000",
    "serving": "http://127.0.0.1:8000",
    "dagster": "http://127.0.0.1:3000",
    "lake": "/home/lake",
}
OTHER = {
    "database_url": "postgresql+psycopg://me:windmill@db:5432/everfit",
    "kafka": "kafka:9092",
    "mlflow": "http://mlflow:5000",
    "serving": "https://models.example/serving",
    "dagster": "http://webserver:3000",
    "lake": "/mnt/lake",
}
NEEDS_A_STACK = [
    ["replay", "electricity_price", "--from", "1996-09-04", "--to", "1996-09-05"],
    ["train", "electricity_price"],
    ["publish", "half_hours", "rows.csv"],
    ["history", "electricity_price"],
    ["backfill", "electricity_price"],
    ["ingest"],
    ["prepare"],
    ["prune", "--older-than", "400d"],
    ["dead-letters", "list"],
    ["up"],
]


@pytest.fixture
def up(home: Path) -> Path:
    """A home whose stack is up, by what its endpoints say."""
    (home / "run").mkdir(parents=True)
    (home / "run" / "endpoints.json").write_text(json.dumps(RUNNING))
    return home


@pytest.mark.parametrize("name", VARIABLES)
def test_another_address_than_the_stacks_is_refused_with_both(up: Path, name: str) -> None:
    environ = {"EVERFIT_HOME": str(up), VARIABLES[name]: OTHER[name]}
    with pytest.raises(SettingsError, match="everfit down") as refused:
        Settings.load(environ)
    assert without_password(RUNNING[name]).split("@")[-1] in str(refused.value)
    assert OTHER[name].split("@")[-1] in str(refused.value)
    assert "windmill" not in str(refused.value)
    with pytest.raises(SettingsError, match=VARIABLES[name]):
        Stack(up, environ=environ).up()


@pytest.mark.parametrize("command", NEEDS_A_STACK, ids=lambda command: command[0])
def test_every_command_is_refused(up: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERFIT_KAFKA_BOOTSTRAP", "kafka:9092")
    (up / "rows.csv").touch()
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, SettingsError)
    assert "EVERFIT_KAFKA_BOOTSTRAP is kafka:9092, and the stack works with 127.0.0.1:9092" in str(refused.exception)


@pytest.mark.parametrize("name", VARIABLES)
def test_the_stacks_own_address_may_be_repeated(up: Path, name: str) -> None:
    environ = {"EVERFIT_HOME": str(up), VARIABLES[name]: RUNNING[name]}
    assert conflicts(environ) == []
    assert given_parts(up, environ) == {}
    assert managed(up, environ) == SERVICES


def test_a_process_of_the_stack_goes_by_what_it_was_started_with(up: Path) -> None:
    assert conflicts({"EVERFIT_HOME": str(up), "EVERFIT_STACK": str(up), "EVERFIT_LAKE": "/mnt/lake"}) == []


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({"kafka"}, {"broker"}),
        ({"mlflow"}, {"mlflow"}),
        ({"serving"}, {"serving"}),
        ({"dagster"}, {"code", "dagster", "daemon", "comparators"}),
        ({"lake"}, set()),
        ({"database_url"}, set()),  # Postgres still keeps what Dagster and MLflow remember
        ({"database_url", "mlflow", "dagster"}, {"postgres", "mlflow", "code", "dagster", "daemon", "comparators"}),
        (set(VARIABLES), set(SERVICES)),
    ],
)
def test_what_is_given_is_not_started(home: Path, given: set[str], left_out: set[str]) -> None:
    assert set(run_here(SERVICES, given)) == set(SERVICES) - left_out
    assert set(managed(home, {VARIABLES[name]: OTHER[name] for name in given})) == set(SERVICES) - left_out


@pytest.mark.parametrize("name", VARIABLES)
def test_every_service_is_told_what_is_given(home: Path, name: str) -> None:
    ports = {"code": 4000, "dagster": 3000, "serving": 8000}
    postgres = Postgres(Path("/sockets"))
    services = build(home, Path("/project"), postgres, ports, given={name: OTHER[name]})
    told = [
        service.environment[VARIABLES[name]]
        for service in services
        if service.name in {"code", "daemon", "serving", "comparators"}
    ]
    assert set(told) == {OTHER[name]}
    assert endpoints(home, postgres, ports, {name: OTHER[name]})[name] == OTHER[name]


def test_what_up_was_given_is_kept_while_its_stack_is_up(up: Path) -> None:
    (up / "run" / "endpoints.json").write_text(json.dumps(RUNNING | {"kafka": "kafka:9092", "given": "kafka"}))
    assert given_parts(up, {}) == {"kafka": "kafka:9092"}
    assert set(managed(up, {})) == set(SERVICES) - {"broker"}


def test_a_part_that_is_given_and_away_is_told_by_its_variable(home: Path) -> None:
    with pytest.raises(
        StackError,
        match=r"EVERFIT_SERVING_URL is set to http://127.0.0.1:1/x, .* starts no service instead: .* unset EVERFIT_SERVING_URL",
    ):
        Stack(home, environ={"EVERFIT_SERVING_URL": "http://127.0.0.1:1/x"}).up()
    assert not (home / "postgres").exists()


def test_a_broker_is_not_asked_for_where_one_is_given(home: Path) -> None:
    with pytest.raises(StackError, match="leave out --broker kafka"):
        Stack(home, environ={"EVERFIT_KAFKA_BOOTSTRAP": "kafka:9092"}, broker="kafka").up()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://host:8000", "http://host:8000/", True),
        ("http://host:8000/a", "http://host:8000/b", False),
        ("http://host:8000", "https://host:8000", False),
        ("b:1,a:1", "a:1, b:1", True),
        ("a:1", "a:2", False),
        ("postgresql://me:x@db:5432/everfit", "postgresql+psycopg://you@db:5432/everfit", True),
        ("postgresql://db/everfit", "postgresql://db/other", False),
        ("postgresql+psycopg://p@/everfit?host=/a", "postgresql+psycopg://p@/everfit?host=/b", False),
        ("postgresql://db/everfit", "postgresql://db:5432/everfit", True),
        ("postgresql://p@/e?host=/a&port=5433", "postgresql://p@/e?host=/a", False),
        ("https://mlflow", "https://mlflow:443/", True),
        ("lake", str(Path("lake").absolute()), True),
    ],
)
def test_places(one: str, other: str, same: bool) -> None:
    assert same_place(one, other) is same


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:windmill@db/e?a=1",
        "postgresql://me@db/e?password=windmill&host=%2Fa",
        "postgresql://me@db/e?sslpassword=windmill",
    ],
)
def test_no_password_is_written_down(url: str) -> None:
    assert "windmill" not in without_password(url)
    assert same_place(url, without_password(url))


def test_a_part_is_known_by_who_it_is_where_it_says_so() -> None:
    here = Uses({"database_url": "x", "kafka": "127.0.0.1:9092", "mlflow": "y"}, {"kafka": "topic-1"})
    assert differences(here, Uses({"kafka": "kafka:19092"}, {"kafka": "topic-1"})) == []
    assert differences(here, Uses({"kafka": "127.0.0.1:9092"}, {"kafka": "topic-2"})) == [
        "Kafka at 127.0.0.1:9092, and this command Kafka at 127.0.0.1:9092"
    ]
    assert differences(here, Uses({"kafka": "kafka:19092"})) == [
        "Kafka at kafka:19092, and this command Kafka at 127.0.0.1:9092"
    ]


@pytest.mark.parametrize("address", ["", "sqlite:///mlflow.db", "http://127.0.0.1:1"])
def test_an_mlflow_without_a_server_has_no_identity_and_stops_nothing(address: str) -> None:
    assert uses_of({"mlflow": address}) == Uses({"mlflow": address})
