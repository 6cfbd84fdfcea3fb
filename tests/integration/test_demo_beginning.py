"""What a demo may remove and what not, by what really lies in a database and a Kafka."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from kafka import KafkaProducer

from everfit.demo.home import contents_of_others, made_by_others, require_empty
from everfit.errors import StackError
from everfit.stack.postgres import Postgres
from everfit.store import requests
from everfit.store.requests import RetrainRequest
from everfit.store.tables import source_rows
from everfit.topics.events import OUTCOMES
from models.electricity_price import electricity_price
from models.flight_delay import flight_delay

AT = datetime(2013, 1, 5, tzinfo=UTC)
MODELS = {"electricity_price": electricity_price, "flight_delay": flight_delay}


def ask(engine: sa.Engine, model: str) -> None:
    with engine.begin() as connection:
        requests.add(connection, RetrainRequest(f"r-{model}", model, "person", "why", None, AT, AT))


def land(engine: sa.Engine, source: str, at: datetime) -> None:
    row = {"source": source, "identity": "[1]", "event_time": at, "row": {}}
    with engine.begin() as connection:
        connection.execute(sa.insert(source_rows).values(row))


def test_the_demos_own_and_what_up_lands_by_itself_may_go(engine: sa.Engine) -> None:
    ask(engine, "electricity_price")
    for source in electricity_price.sources:
        land(engine, source.name, electricity_price.go_live + timedelta(days=100))
    for source in flight_delay.sources:
        land(engine, source.name, flight_delay.go_live - timedelta(days=2))
    assert contents_of_others(engine, "electricity_price", MODELS) == []


def test_what_another_model_made_or_was_fed_is_named(engine: sa.Engine) -> None:
    ask(engine, "flight_delay")
    ask(engine, "a_model_of_before")
    source = flight_delay.sources[0].name
    land(engine, source, flight_delay.go_live + timedelta(days=2))
    land(engine, "unheard_of", AT)
    assert contents_of_others(engine, "electricity_price", MODELS) == [
        "a_model_of_before (1 trainings)",
        "flight_delay (1 trainings)",
        *sorted(
            [f"source {source} (1 rows, published until 2013-03-04)", "source unheard_of (1 rows, published until 2013-01-05)"]
        ),
    ]


def test_a_database_that_cannot_be_read_is_not_taken_for_empty(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE ledger CASCADE"))
    (content,) = contents_of_others(engine, "electricity_price", MODELS)
    assert content == "a database with tables of another version, whose contents cannot be read"


def test_a_folder_without_a_database_holds_at_most_a_report(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    assert made_by_others(Postgres(tmp_path / "postgres"), "electricity_price", MODELS) == []


def test_what_is_no_part_of_a_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "lake").mkdir()
    named = made_by_others(Postgres(tmp_path / "postgres"), "electricity_price", MODELS)
    assert named == ["lake (made by no demo)", "thesis (made by no demo)"]


def test_a_kafka_that_is_given_must_be_empty(home: Path, engine: sa.Engine, kafka: str) -> None:
    (home / "run").mkdir(parents=True)
    (home / "run" / "endpoints.json").write_text('{"given": "kafka"}')
    settings = SimpleNamespace(home=home, kafka=kafka)
    runtime: Any = cast(Any, SimpleNamespace(settings=settings, engine=engine))
    require_empty(runtime, electricity_price)
    producer = KafkaProducer(bootstrap_servers=kafka)
    producer.send(OUTCOMES, b"{}").get(10)
    producer.close()
    with pytest.raises(StackError, match=r"EVERFIT_KAFKA_BOOTSTRAP names contains 1 records of .* unset EVERFIT_KAFKA"):
        require_empty(runtime, electricity_price)
