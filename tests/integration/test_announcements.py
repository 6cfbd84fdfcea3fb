"""A promotion is served as soon as it is announced, by the poll where it is not, and whatever becomes of the broker."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from kafka import KafkaProducer

from everfit.environment.kafka_options import options
from everfit.environment.settings import Settings
from everfit.pipeline import manual_promotion
from everfit.pipeline.announcement import announce
from everfit.pipeline.promotion import register
from everfit.registry import InMemoryRegistry
from everfit.runtime import Runtime
from everfit.serving import model_cache
from everfit.serving.__main__ import build
from everfit.serving.announcements import Announcements
from everfit.serving.app import create_app
from everfit.stack.ports import LOCAL, any_free
from everfit.topics.admin import admin_client, create_topics, partitions
from everfit.topics.events import DEPLOYMENTS
from everfit.waiting import wait_until
from models.electricity_price import electricity_price
from tests.brokers import running_broker
from tests.serving import served
from tests.versions import described

NAME = electricity_price.name
NEVER_SECONDS = 3_600.0


def runtime_of(engine: sa.Engine, kafka: str, folder: Path) -> Runtime:
    """A runtime whose registry holds versions 1 to 3, none of them champion."""
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(folder, url, kafka, "", "", "", folder / "lake")
    runtime = Runtime(settings, {NAME: electricity_price}, InMemoryRegistry())
    for bias in range(3):
        version = described(runtime.lake, electricity_price, float(bias))
        register(runtime, version, runtime.lake.put_json(version))
    return runtime


@pytest.fixture
def runtime(engine: sa.Engine, kafka: str, tmp_path: Path) -> Iterator[Runtime]:
    with runtime_of(engine, kafka, tmp_path) as runtime:
        yield runtime


def champion(url: str) -> int | None:
    """The version that serves as champion."""
    roles: dict[str, int] = httpx.get(f"{url}/v2/models/{NAME}", trust_env=False).json()["roles"]
    return roles.get("champion")


def promote(runtime: Runtime, version: int) -> None:
    manual_promotion.adopt(runtime, electricity_price, version, actor="person ada")


def await_champion(url: str, version: int) -> None:
    wait_until(lambda: champion(url), lambda serving: serving == version, f"version {version} to be served;", stall_seconds=60)


def listens() -> bool:
    """Whether a thread of this process follows the announcements."""
    return any(thread.name == "announcements" for thread in threading.enumerate())


def test_a_promotion_is_served_as_soon_as_it_is_announced(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_cache, "POLL_SECONDS", NEVER_SECONDS)  # what is served later was announced
    with served(create_app(build(runtime), runtime.lake, runtime=runtime)) as url:
        promote(runtime, 1)
        while champion(url) != 1:  # until the consumer stands at the end of the topic
            announce(runtime.settings.kafka, electricity_price, 1, "again")
        waited = []
        for version in (2, 3, 1):
            promote(runtime, version)
            announced_at = time.monotonic()
            await_champion(url, version)
            waited.append(time.monotonic() - announced_at)
        assert min(waited) < 1, waited
        assert listens()
    assert not listens(), "the thread ends with serving"


def test_a_promotion_is_served_without_a_broker(engine: sa.Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with runtime_of(engine, f"{LOCAL}:{any_free()}", tmp_path) as runtime:
        promote(runtime, 1)
        assert "Kafka did not take the announcement" in caplog.text
        with served(create_app(build(runtime), runtime.lake, runtime=runtime)) as url:
            await_champion(url, 1)
            promote(runtime, 2)
            await_champion(url, 2)
    assert not listens()


def test_an_announcement_alone_promotes_nothing(runtime: Runtime) -> None:
    with served(create_app(build(runtime), runtime.lake, runtime=runtime)) as url:
        promote(runtime, 1)
        await_champion(url, 1)
        announce(runtime.settings.kafka, electricity_price, 3, "the ledger does not say so")
        time.sleep(1.5)
        assert champion(url) == 1


def send(kafka: str, *values: bytes | None) -> None:
    with closing(KafkaProducer(**options(kafka), acks="all")) as producer:
        for value in values:
            producer.send(DEPLOYMENTS, key=b"", value=value).get(timeout=10)


@pytest.fixture
def names() -> list[str]:
    return []


def await_announced(kafka: str, names: list[str]) -> None:
    """Announce again and again, until one arrives: the consumer reads from the end of the topic."""

    def announced() -> int:
        announce(kafka, electricity_price, 1, "why")
        time.sleep(0.2)
        return len(names)

    wait_until(announced, bool, "an announcement to arrive;", stall_seconds=60)


def test_records_that_are_no_announcement_are_passed_over(
    kafka: str, names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    announcements = Announcements(kafka, names.append)
    announcements.start()
    with closing(announcements):
        await_announced(kafka, names)
        names.clear()
        send(kafka, None, b"no JSON", b'{"model": 1}')
        await_announced(kafka, names)
    assert set(names) == {NAME}
    assert len([record for record in caplog.records if "is no deployment" in record.message]) == 3


def test_announcements_are_read_again_from_a_broker_that_comes_and_goes(names: list[str]) -> None:
    port = any_free()
    announcements = Announcements(f"{LOCAL}:{port}", names.append)
    announcements.start()
    with closing(announcements):
        for _ in range(2):
            with running_broker(port, partitions=3) as kafka:
                await_announced(kafka, names)
            names.clear()
    assert not listens()


def test_a_topic_that_is_missing_is_awaited_and_not_made(kafka: str, names: list[str]) -> None:
    with admin_client(kafka) as admin:
        admin.delete_topics([DEPLOYMENTS])
    wait_until(lambda: partitions(kafka), lambda topics: DEPLOYMENTS not in topics, "the topic to be deleted;")
    announcements = Announcements(kafka, names.append)
    announcements.start()
    with closing(announcements):
        time.sleep(2)
        assert DEPLOYMENTS not in partitions(kafka)
        create_topics(kafka)
        await_announced(kafka, names)


def test_settings_of_kafka_that_make_no_sense_leave_serving_as_it_is(
    names: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EVERFIT_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    announcements = Announcements(f"{LOCAL}:1", names.append)
    announcements.start()
    with closing(announcements):
        wait_until(lambda: caplog.text, lambda text: "deployments are not announced" in text, "a warning;", stall_seconds=30)
    assert not listens()
