"""Whether the loop passes, seen from outside, on a real Postgres and a real webhook."""

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from everfit.alerts.channels import Channels
from everfit.alerts.heartbeat import Heart
from everfit.alerts.state import Findings
from everfit.alerts.watchdog import Watchdog, stopped
from everfit.doctor.loop import loop_check
from everfit.environment.settings import VARIABLES, Settings
from everfit.registry import InMemoryRegistry
from everfit.runtime import Runtime
from everfit.serving.app import create_app
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.stack.ports import any_free
from everfit.store import heartbeats
from everfit.store.heartbeats import INGEST, SENSOR, Heartbeat
from everfit.store.tables import heartbeats as table
from everfit.timing import wall_clock
from everfit.topics.events import PREDICTIONS
from everfit.waiting import wait_until
from tests.hooks import Hook, listening
from tests.serving import AsRegistered, MemoryProducer, served

TEN_MINUTES = timedelta(minutes=10)
AWAY = "http://127.0.0.1:1"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as server:
        yield server


@pytest.fixture
def settings(database_url: str, kafka: str, tmp_path: Path) -> Settings:
    values = {"database_url": database_url, "kafka": kafka, "lake": str(tmp_path)}
    return Settings.load({variable: values.get(name, AWAY) for name, variable in VARIABLES.items()})


@pytest.fixture(autouse=True)
def _watched_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("everfit.alerts.watchdog.GRACE_SECONDS", 0.0)


def beat(engine: sa.Engine, process: str, minutes_ago: float = 0) -> None:
    with engine.begin() as connection:
        heartbeats.beat(connection, process, {}, {})
        ago = sa.func.now() - timedelta(minutes=minutes_ago)
        connection.execute(sa.update(table).where(table.c.process == process).values(at=ago))


def causes(hook: Hook) -> list[tuple[str, str]]:
    return [(posted["state"], posted["cause"]) for posted in hook.posted]


def test_a_loop_that_stopped_is_told_once_by_whichever_of_several_looks_and_its_end_too(engine: sa.Engine, hook: Hook) -> None:
    watchdogs = [Watchdog(engine, Channels(hook.url), TEN_MINUTES) for _ in range(2)]
    beat(engine, SENSOR, 9)
    for watchdog in watchdogs:
        watchdog.look()
    assert hook.posted == []
    beat(engine, SENSOR, 11)
    for watchdog in watchdogs:
        watchdog.look()
        assert 660 <= watchdog.loop_age_seconds < 720
    assert causes(hook) == [("raised", "stopped")]
    assert re.search(
        "no tick of the sensor prediction_log has succeeded since .* daemon .* nothing is read", hook.posted[0]["text"]
    )
    beat(engine, SENSOR)
    watchdogs[0].look()
    assert causes(hook)[1:] == [("resolved", "stopped")]


def test_while_ingest_reads_on_it_is_the_launching_that_stopped(engine: sa.Engine, hook: Hook) -> None:
    beat(engine, SENSOR, 30)
    beat(engine, INGEST, 1)
    watchdog = Watchdog(engine, Channels(hook.url), TEN_MINUTES)
    watchdog.look()
    assert causes(hook) == [("raised", "stopped:launches")]
    assert watchdog.loop_age_seconds < 120


def test_what_never_passed_is_waited_for_since_it_is_watched() -> None:
    assert stopped({}, 599, TEN_MINUTES).ongoing == {}
    (told,) = stopped({}, 601, TEN_MINUTES).ongoing.values()
    assert "has succeeded ever" in told


def test_a_stack_that_was_down_for_a_day_is_given_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("everfit.alerts.watchdog.GRACE_SECONDS", 60.0)
    paused = {SENSOR: Heartbeat(wall_clock(), 86_400.0, {}, {})}
    assert stopped(paused, 59, TEN_MINUTES) == Findings(set(), {}, {}), "neither raised nor over"
    assert stopped(paused, 61, TEN_MINUTES).ongoing


def test_a_postgres_that_is_away_is_told_once_and_the_age_grows(caplog: pytest.LogCaptureFixture) -> None:
    away = sa.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{any_free()}/everfit")
    watchdog = Watchdog(away, Channels(), TEN_MINUTES)
    before = watchdog.loop_age_seconds
    with caplog.at_level(logging.WARNING):
        watchdog.look()
        watchdog.look()
    assert caplog.text.count("whether the loop passes cannot be checked") == 1
    assert watchdog.loop_age_seconds > before


def test_a_pass_writes_its_row_and_calls_the_url_which_is_never_shown(
    engine: sa.Engine, settings: Settings, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    called = Heart(engine, SENSOR, settings, environ={"EVERFIT_HEARTBEAT_URL": hook.url})
    away = Heart(engine, INGEST, settings, environ={"EVERFIT_HEARTBEAT_URL": f"http://127.0.0.1:{any_free()}/secret"})
    with caplog.at_level(logging.WARNING):
        for heart in (called, away, away):
            heart.beat()
    with engine.connect() as connection:
        found = heartbeats.newest(connection)
    assert found.keys() == {SENSOR, INGEST}
    assert found[SENSOR].age_seconds < 60
    assert found[SENSOR].addresses["kafka"] == settings.kafka
    assert hook.gets == 1
    assert caplog.text.count("does not accept the loop's heartbeat") == 1
    assert "secret" not in caplog.text


def test_signs_of_life_may_be_rarer_than_passes(engine: sa.Engine, settings: Settings, hook: Hook) -> None:
    heart = Heart(engine, INGEST, settings, every_seconds=60, environ={"EVERFIT_HEARTBEAT_URL": hook.url})
    for _ in range(5):
        heart.beat()
    assert hook.gets == 1


def test_serving_watches_the_loop_and_shows_its_age(engine: sa.Engine, settings: Settings, tmp_path: Path) -> None:
    def age(url: str) -> float:
        shown = httpx.get(f"{url}/metrics", trust_env=False).text
        return float(shown.partition("\neverfit_loop_age_seconds ")[2].split()[0])

    beat(engine, SENSOR, 5)
    with Runtime(settings) as runtime:
        log = PredictionLog(MemoryProducer(), Spool(tmp_path / "spool.jsonl"))
        service = Service(
            {}, ModelCache({}, AsRegistered(InMemoryRegistry())), Views({}, engine), Lookup(runtime.engine), log, Metrics()
        )
        with served(create_app(service, runtime.lake, runtime=runtime)) as url:
            seconds = wait_until(lambda: age(url), lambda age: age >= 300, "the watchdog to look;")
    assert seconds < 360


@pytest.mark.parametrize(("minutes_ago", "ok"), [(0.0, True), (5.0, False)])
def test_doctor_tells_a_loop_that_writes_elsewhere(engine: sa.Engine, settings: Settings, minutes_ago: float, ok: bool) -> None:
    ticked_at = wall_clock() - timedelta(minutes=2)
    addresses = {"database_url": settings.database_url, "kafka": settings.kafka}
    nothing = loop_check(ticked_at, addresses)
    assert nothing is not None
    assert "no pass has written to this database since" in nothing.message
    beat(engine, SENSOR, minutes_ago)
    check = loop_check(ticked_at, addresses)
    assert check is not None
    assert check.ok is ok


def test_doctor_tells_a_loop_that_reads_another_kafka(engine: sa.Engine, settings: Settings) -> None:
    with engine.begin() as connection:
        heartbeats.beat(connection, SENSOR, {"kafka": "kafka:19092"}, {})
        row = {"topic": PREDICTIONS, "partition": 0, "offset": 0, "log": "a topic of another broker"}
        written = sa.text(
            "INSERT INTO consumer_offsets (topic, partition, next_offset, log_id, fingerprint) "
            "VALUES (:topic, :partition, :offset, :log, '')"
        )
        connection.execute(written, row)
    check = loop_check(wall_clock() - timedelta(minutes=1), {"database_url": settings.database_url, "kafka": settings.kafka})
    assert check is not None
    assert f"it works with Kafka at kafka:19092, and this command Kafka at {settings.kafka}" in check.message


def test_certificates_that_cannot_be_read_stop_no_pass_and_no_watchdog(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such.pem")
    Heart(engine, SENSOR, settings, environ={"EVERFIT_HEARTBEAT_URL": "https://127.0.0.1:1/a-secret"}).beat()
    beat(engine, SENSOR, 11)
    Watchdog(engine, Channels("https://127.0.0.1:1/a-secret"), TEN_MINUTES).look()
    assert "the alert webhook https://127.0.0.1/… does not answer" in caplog.text
    assert "a-secret" not in caplog.text
