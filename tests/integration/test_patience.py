"""What a busy machine shows: a database that answers late, and a loop that is at work."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from everfit.declaration.values import Value
from everfit.pipeline.loop_progress import LoopProgress
from everfit.serving.lookup import Lookup
from everfit.store import heartbeats, requests
from everfit.store.requests import RetrainRequest
from everfit.store.tables import consumer_offsets, online_features
from models.electricity_price import electricity_price as model
from tests.readings import declared_readings

AT = datetime(1996, 9, 4, tzinfo=UTC)
ROW: dict[str, Value] = {"region": "NSW", "half_hour": 0, "weekday": 2}
AWAY = "http://127.0.0.1:1"


async def waited(engine: sa.Engine, held_seconds: float) -> tuple[bool, float]:
    """Whether the online store was given up while another held it for so long, and how long that took."""
    lookup = Lookup(engine)
    loop = asyncio.get_running_loop()
    with engine.connect() as connection:
        connection.execute(sa.text(f"LOCK TABLE {online_features.name} IN ACCESS EXCLUSIVE MODE"))
        loop.call_later(held_seconds, connection.rollback)
        began = time.monotonic()
        await lookup.features(declared_readings(model), [ROW], AT)
        took = time.monotonic() - began
    given_up = lookup._retry_at > 0
    await lookup.close()
    return given_up, took


def test_a_database_that_is_slow_is_waited_for(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "60s")
    given_up, took = asyncio.run(waited(engine, 1.0))
    assert not given_up
    assert took >= 1.0


def test_a_database_that_hangs_is_not(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "1s")
    given_up, took = asyncio.run(waited(engine, 30.0))
    assert given_up
    assert took < 30.0


def test_rows_read_requests_and_heartbeats_are_signs_of_the_loop(engine: sa.Engine) -> None:
    progress = LoopProgress(engine, AWAY)
    idle = progress()
    assert progress() == idle
    with engine.begin() as connection:
        heartbeats.beat(connection, heartbeats.SENSOR, {}, {})
    alive = progress()
    assert (alive.work, alive.life) != (idle.work, idle.life)
    assert alive.work == idle.work
    with engine.begin() as connection:
        requests.add(connection, RetrainRequest("r1", model.name, "person", "why", 1, AT, AT + timedelta(days=1)))
        requests.mark(connection, "r1", "launched", run_id="a run that Dagster cannot be asked for")
    asked = progress()
    assert asked.work != alive.work
    with engine.begin() as connection:
        row = {"topic": "t", "partition": 0, "next_offset": 7, "log_id": "l", "fingerprint": ""}
        connection.execute(sa.insert(consumer_offsets).values(row))
    assert progress().work != asked.work
