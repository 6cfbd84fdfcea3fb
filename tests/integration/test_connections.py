"""What `everfit doctor` finds wrong with connections, each fault made for real, and what it says to do."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from psycopg import sql

from everfit.doctor.connections import connections
from everfit.environment.settings import VARIABLES
from everfit.stack.ports import any_free
from everfit.stack.postgres import Postgres
from everfit.store import partitions
from everfit.store.database import MIGRATIONS
from everfit.store.lake import Lake
from everfit.store.partitions import PartitionVersion
from tests.brokers import running_broker
from tests.unit.test_cli import everfit

GUARDED, PASSWORD = "guarded", "windmill"


def told(**addresses: str) -> tuple[str, str]:
    """What one connection is found to be, and what is to be done."""
    (check,) = connections(addresses)
    return check.message, check.todo


@pytest.fixture
def guarded(postgres: Postgres, database_url: str) -> Iterator[str]:
    """URL of the database with a user whose password is asked for; ``{}`` stands where the password goes."""
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(sql.Identifier(GUARDED), PASSWORD))
        rules.write_text(f"local all {GUARDED} scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        yield database_url.replace("//postgres:", f"//{GUARDED}:{{}}")
        rules.write_text(before)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(GUARDED)))


def test_a_database_with_the_schema_is_right(database_url: str) -> None:
    found, todo = told(database_url=database_url)
    assert found.endswith(f"schema {ScriptDirectory(str(MIGRATIONS)).get_current_head()}")
    assert todo == ""


def test_a_wrong_password_is_told_and_never_shown(guarded: str) -> None:
    assert told(database_url=guarded.format(PASSWORD))[1] == ""
    found, todo = told(database_url=guarded.format("windmills"))
    assert "password authentication failed" in found
    assert todo.startswith("correct the user or password")
    assert "windmill" not in found


def test_a_wrong_port(database_url: str) -> None:
    found, todo = told(database_url=f"postgresql+psycopg://postgres@127.0.0.1:{any_free()}/everfit")
    assert "refused" in found
    assert todo.startswith("start Postgres")


def test_a_missing_database(postgres: Postgres) -> None:
    found, todo = told(database_url=postgres.url("nowhere"))
    assert 'database "nowhere" does not exist' in found
    assert todo.startswith("create it")


def test_a_database_without_a_schema_and_one_of_another_version(postgres: Postgres, database_url: str) -> None:
    assert told(database_url=postgres.url("postgres"))[1] == "run `everfit prepare`"
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    found, todo = told(database_url=database_url)
    assert "has schema 0000; this everfit needs" in found
    assert todo == "run `everfit prepare`"


def test_kafka_with_its_topics_without_one_and_away(kafka: str) -> None:
    from kafka.admin import KafkaAdminClient

    found, todo = told(kafka=kafka)
    assert "everfit.predictions 1" in found
    assert todo == ""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.delete_topics(["everfit.outcomes"])
    admin.close()
    assert told(kafka=kafka) == (f"{kafka} has no topic everfit.outcomes", "run `everfit prepare`")
    assert told(kafka=f"127.0.0.1:{any_free()}")[1].startswith("start Kafka")


@pytest.mark.parametrize("name", ["mlflow", "dagster", "serving"])
def test_a_page_that_does_not_answer(name: str) -> None:
    url = f"http://127.0.0.1:{any_free()}"
    found, todo = told(**{name: url})
    assert found.startswith(url)
    assert todo.startswith("start ")
    assert VARIABLES[name] in todo


def test_a_lake_that_cannot_be_written_to(tmp_path: Path) -> None:
    assert told(lake=str(tmp_path / "lake"))[1] == ""
    (tmp_path / "file").write_text("")
    assert "let this user write" in told(lake=str(tmp_path / "file" / "lake"))[1]


def test_a_lake_that_is_not_the_deployments(engine: sa.Engine, tmp_path: Path) -> None:
    lake, url = Lake(tmp_path / "lake"), engine.url.render_as_string(hide_password=False)
    both = {"database_url": url, "lake": str(tmp_path / "elsewhere")}
    digest = lake.put(b"rows", "parquet")
    with engine.begin() as connection:
        partitions.record(connection, [PartitionVersion("d", "1996-09-04", digest, 48, "code", {})])
    with engine.begin() as connection:
        partitions.record(connection, [PartitionVersion("half_hours", "1996-09-04", "1", 48, "", {})])
    assert [check.todo for check in connections(both | {"lake": str(lake.root)})] == ["", ""]
    _, wrong = connections(both)
    assert f"does not contain {digest}, which the database refers to" in wrong.message
    assert wrong.todo.startswith("set EVERFIT_LAKE to the lake of this deployment")
    _, away = connections(both, lake_is_here=False)
    assert (away.todo, "EVERFIT_LAKE is not set" in away.message) == ("", True)


def test_prepare_makes_ready_and_doctor_checks_only_what_is_elsewhere(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.create_databases(["prepared"])
    away = f"http://127.0.0.1:{any_free()}"
    with running_broker() as kafka:
        values = {"database_url": postgres.url("prepared"), "kafka": kafka, "lake": str(tmp_path)}
        for name, variable in VARIABLES.items():
            monkeypatch.setenv(variable, values.get(name, away))
        made = everfit("prepare")
        assert made.returncode == 0, made.stderr
        assert everfit("prepare").stdout.splitlines()[-1].endswith(": 0 rows from before it went live have landed")
        answer = everfit("doctor", "--json")
    checks = {check["name"]: check["ok"] for check in json.loads(answer.stdout)["checks"]}
    assert answer.returncode == 1
    assert [name for name, ok in checks.items() if not ok] == ["MLflow", "Dagster", "serving", "comparators"]
    assert "stack" not in checks
