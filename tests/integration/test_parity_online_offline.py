"""The same number for the same moment: what serving looks up equals what training computes, over thousands of requests."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from everfit import Model
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.serving.lookup import Lookup, ViewFeatures
from everfit.sources.publication import publish
from everfit.store.frames import landed
from models.electricity_price import electricity_price, recorded_half_hours
from tests.examples import EXAMPLES, Example
from tests.readings import declared_readings

ASKED = 3_000
BEFORE, AFTER = datetime(1990, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


def looked_up(engine: Engine, model: Model, asked: Sequence[Mapping[str, Any]]) -> list[ViewFeatures]:
    """What serving finds for each row of request fields at its event time."""
    fields = [column.name for column in model.request]

    async def find() -> list[ViewFeatures]:
        store = Lookup(engine)
        rows = [({name: row[name] for name in fields}, row["_event_time"]) for row in asked]
        readings = declared_readings(model)
        found = [(await store.features(readings, [row], at))[0] for row, at in rows]
        await store.close()
        return found

    return asyncio.run(find())


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> Example:
    make: Callable[[], Example] = request.param
    return make()


@pytest.fixture
def published(engine: Engine, example: Example, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The record of each source: most in bulk, some one by one, some out of order."""
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "60s")  # a busy machine may answer late, but not with other numbers
    models = {example.model.name: example.model}
    for name, recorded in example.recorded.items():
        late = pl.int_range(pl.len()).is_in([700, 701, 2_000, 2_321])
        publish(engine, models, name, recorded.filter(~late)[:-30])
        for row in recorded.filter(~late)[-30:].iter_rows(named=True):
            publish(engine, models, name, [row])
        publish(engine, models, name, recorded.filter(late))
    return engine


def same(published: Engine, example: Example, spine: pl.DataFrame) -> list[ViewFeatures]:
    """Look up and compute the features of each row of the spine, and hold the two against each other, to the last bit."""
    model = example.model
    offline = compute(model.views, example.recorded, spine)
    online = looked_up(published, model, spine.to_dicts())
    names = [name for view in model.views for name in view.features]
    assert [found.features for found in online] == offline.select(names).to_dicts()
    return online


def test_every_request_is_the_same_to_the_last_bit(published: Engine, example: Example) -> None:
    requests = labelled(example.model, example.recorded)
    seen = same(published, example, requests[:: requests.height // ASKED])
    assert len(seen) >= ASKED
    assert sum(found.degraded for found in seen) < 0.02 * len(seen)


def test_moments_between_and_before_and_long_after(published: Engine, example: Example) -> None:
    one = labelled(example.model, example.recorded)
    first, last = one["_event_time"].min(), one["_event_time"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    moments = pl.datetime_range(first, last, "7h13m", time_zone="UTC", eager=True).to_list()
    spine = one[: len(moments) + 2].with_columns(pl.Series("_event_time", [BEFORE, *moments, AFTER], one["_event_time"].dtype))
    seen = same(published, example, spine)
    assert seen[0].degraded
    assert seen[-1].degraded


def test_what_landed_computes_to_what_is_online(published: Engine, example: Example) -> None:
    for source in example.model.sources:
        recorded = example.recorded[source.name]
        with published.connect() as connection:
            held = landed(connection, source, (BEFORE, AFTER))
        order = [source.event_time, *source.identity]
        assert held.sort(order).equals(recorded.select(held.columns).cast(held.schema).sort(order))
        assert held.height == recorded.height > timedelta(days=30) // timedelta(hours=1)


def test_a_database_that_was_started_anew_degrades_no_answer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "60s")
    recorded = recorded_half_hours()[:96]
    publish(engine, {electricity_price.name: electricity_price}, "half_hours", recorded)
    row, at = {"region": "NSW"}, recorded["period_start"][-1] + timedelta(minutes=30)
    others = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def find() -> list[ViewFeatures]:
        store = Lookup(engine)
        before = await store.features(declared_readings(electricity_price), [row], at)
        with engine.connect() as connection:
            assert connection.execute(others).rowcount >= 1
        after = await store.features(declared_readings(electricity_price), [row], at)
        await store.close()
        return [*before, *after]

    before, after = asyncio.run(find())
    assert (before.degraded, after) == (False, before)
