"""Serving over HTTP on a test's database and broker: fixtures that start it, and what its clients send and find on the log."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import polars as pl
import pytest
from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Engine

from everfit import Model
from everfit.serving.app import create_app
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import KafkaLogProducer
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.sources.publication import publish
from everfit.store.lake import Lake
from everfit.topics.events import PREDICTIONS, Prediction, decode
from models.electricity_price import electricity_price, recorded_half_hours
from tests.serving import WatchedRegistry, graph, served

NAME = electricity_price.name
MODELS = {NAME: electricity_price}
INPUTS = {"region": "NSW", "half_hour": 0, "weekday": 2}


class Serve(Protocol):
    """Starts serving."""

    def __call__(self, kafka: str, token: str | None = None, models: Mapping[str, Model] = MODELS) -> httpx.Client: ...


@pytest.fixture
def registry() -> WatchedRegistry:
    """Version 1 is champion; its score is 0.5 at midnight."""
    versions = {number: graph(electricity_price, number - 1.0) for number in range(1, 6)} | {9: b"no graph"}
    return WatchedRegistry(electricity_price, versions, {"champion": 1})


@pytest.fixture
def serve(engine: Engine, registry: WatchedRegistry, tmp_path: Path) -> Iterator[Serve]:
    """Starts serving on the test's database, roles read; ends it with the test."""
    with ExitStack() as stack:

        def start(kafka: str, token: str | None = None, models: Mapping[str, Model] = MODELS) -> httpx.Client:
            log = PredictionLog(KafkaLogProducer(kafka, PREDICTIONS, timeout_seconds=2), Spool(tmp_path / "spool.jsonl"))
            service = Service(models, ModelCache(models, registry), Views(models, engine), Lookup(engine), log, Metrics())
            url = stack.enter_context(served(create_app(service, Lake(tmp_path / "lake"), token)))
            client = stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=30))
            if token is None:
                client.post(f"/refresh/{NAME}").raise_for_status()
            return client

        yield start


@pytest.fixture
def client(kafka: str, serve: Serve) -> httpx.Client:
    """A client of serving with a broker."""
    return serve(kafka)


@pytest.fixture
def event_time(engine: Engine) -> str:
    """The go-live, the end of two days of published half-hours."""
    publish(engine, MODELS, "half_hours", two_days())
    return electricity_price.go_live.isoformat()


def two_days() -> pl.DataFrame:
    """The half-hours of the two days before the go-live."""
    started = recorded_half_hours()["period_start"]
    live = electricity_price.go_live
    found: pl.DataFrame = recorded_half_hours().filter(started.is_between(live - timedelta(days=2), live, closed="left"))
    return found


def predict(client: httpx.Client, **changes: Any) -> httpx.Response:
    """Ask for a prediction."""
    return client.post(f"/predict/{NAME}", json={"inputs": INPUTS} | changes)


def logged(kafka: str, count: int) -> list[Prediction]:
    """The first predictions on the log, in order."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=None, enable_auto_commit=False)
    partition = TopicPartition(PREDICTIONS, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    found: list[Prediction] = []
    while len(found) < count:
        records = consumer.poll(timeout_ms=5_000).get(partition, [])
        assert records, f"only {len(found)} of {count} predictions on the log"
        for record in records:
            event = decode(PREDICTIONS, record.value)
            assert isinstance(event, Prediction)
            assert record.key == event.entity.encode()
            found.append(event)
    consumer.close()
    return found
