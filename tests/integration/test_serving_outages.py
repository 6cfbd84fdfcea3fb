"""Serving while the broker or the database is away: requests are answered, and nothing that was answered is lost."""

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from everfit.serving import lookup
from everfit.serving.app import create_app
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import KafkaLogProducer
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.stack.ports import LOCAL, any_free
from everfit.stack.postgres import Postgres
from everfit.store.lake import Lake
from everfit.topics.events import PREDICTIONS
from tests.brokers import running_broker
from tests.serving import WatchedRegistry, served
from tests.serving_over_http import INPUTS, MODELS, NAME, Serve, logged, predict


@pytest.fixture
def brokers() -> Iterator[ExitStack]:
    """Brokers that outlive the serving of the test."""
    with ExitStack() as stack:
        yield stack


def test_a_broker_that_is_away_is_spooled_for_and_caught_up(brokers: ExitStack, serve: Serve, tmp_path: Path) -> None:
    port = any_free()
    client = serve(f"{LOCAL}:{port}")
    for number in range(20):
        assert predict(client, request_id=f"r{number}").status_code == 200
    kafka = brokers.enter_context(running_broker(port))
    assert client.post("/flush").json() == {"acknowledged": 20}
    assert [row.request_id for row in logged(kafka, 20)] == [f"r{number}" for number in range(20)]
    assert [file.stat().st_size for file in tmp_path.glob("spool*")] == [0]


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_dies_loses_nothing(brokers: ExitStack, serve: Serve) -> None:
    port = any_free()
    with running_broker(port) as kafka:
        client = serve(kafka)
        predict(client, request_id="before").raise_for_status()
        client.post("/flush").raise_for_status()
    for number in range(5):
        predict(client, request_id=f"r{number}").raise_for_status()
    kafka = brokers.enter_context(running_broker(port))
    client.post("/flush").raise_for_status()
    assert [row.request_id for row in logged(kafka, 5)] == [f"r{number}" for number in range(5)]
    gc.collect()  # kafka-python leaves to it the sockets that a dead broker refused


def test_the_end_leaves_nothing_in_memory(engine: Engine, registry: WatchedRegistry, kafka: str, tmp_path: Path) -> None:
    log = PredictionLog(KafkaLogProducer(kafka, PREDICTIONS), Spool(tmp_path / "spool.jsonl"))
    service = Service(MODELS, ModelCache(MODELS, registry), Views(MODELS, engine), Lookup(engine), log, Metrics())
    with served(create_app(service, Lake(tmp_path / "lake"))) as url, httpx.Client(base_url=url, trust_env=False) as client:
        client.post(f"/refresh/{NAME}").raise_for_status()
        for number in range(50):
            predict(client, request_id=f"r{number}").raise_for_status()
    assert len(logged(kafka, 50)) == 50


@pytest.fixture
def admit(postgres: Postgres, engine: Engine) -> Callable[[bool], None]:
    """Lets connections to the test's database in, or ends them and keeps them out."""

    def admit(let_in: bool) -> None:
        url = postgres.url("postgres").replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            name = str(engine.url.database)
            statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), sql.Literal(let_in))
            connection.execute(statement)
            if not let_in:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    return admit


def test_a_database_that_is_away_is_answered_for(
    client: httpx.Client,
    kafka: str,
    event_time: str,
    admit: Callable[[bool], None],
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lookup, "RETRY_SECONDS", 0.0)
    before = predict(client, event_time=event_time).json()
    assert before["degraded"] is False
    engine.dispose()
    admit(False)
    known = predict(client, event_time=event_time).json()
    unknown = predict(client, event_time=event_time, inputs=INPUTS | {"region": "VIC"}).json()
    assert (known["degraded"], unknown["degraded"]) == (True, True)
    admit(True)
    assert predict(client, event_time=event_time).json()["degraded"] is False
    client.post("/flush").raise_for_status()
    first, fallback, nothing, again = logged(kafka, 4)
    assert fallback.features == first.features == again.features
    assert {value for name, value in nothing.features.items() if name not in INPUTS} == {None}
