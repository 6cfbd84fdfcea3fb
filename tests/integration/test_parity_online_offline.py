"""The same number for the same moment: what serving looks up equals what training computes, over thousands of half-hours."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import narwhals.stable.v2 as nw
import polars as pl
import pytest
from sqlalchemy import Engine

from everfit.events import Value
from everfit.features.offline import compute
from everfit.store.frames import landed
from everfit.store.lookup import Found, Lookup
from everfit.store.publishing import publish
from models.electricity_price import electricity_price, half_hours, labelled_half_hours, recorded_half_hours

MODELS = {electricity_price.name: electricity_price}
HALF_HOURS = 5_760  # the bootstrap's 120 days


def looked_up(engine: Engine, moments: Sequence[datetime]) -> list[Found]:
    """What serving finds for the region at each moment."""

    async def find() -> list[Found]:
        lookup = Lookup(engine)
        row: dict[str, Value] = {"region": "NSW", "half_hour": 0.0, "weekday": 0.0}
        found = [(await lookup.features(electricity_price, [row], at))[0] for at in moments]
        await lookup.close()
        return found

    return asyncio.run(find())


@pytest.fixture
def published(engine: Engine) -> Engine:
    """120 days of half-hours: most in bulk, some one by one, some out of order."""
    recorded = recorded_half_hours()[:HALF_HOURS]
    late = pl.int_range(pl.len()).is_in([700, 701, 2_000, 4_321])
    publish(engine, MODELS, "half_hours", recorded.filter(~late)[:-100])
    for row in recorded.filter(~late)[-100:].iter_rows(named=True):
        publish(engine, MODELS, "half_hours", [row])
    publish(engine, MODELS, "half_hours", recorded.filter(late))
    return engine


def test_every_half_hour_is_the_same_to_the_last_bit(published: Engine) -> None:
    recorded = recorded_half_hours()[:HALF_HOURS]
    spine = labelled_half_hours(nw.from_native(recorded)).to_native().select("event_time", "region")
    offline = compute(electricity_price.views, {"half_hours": recorded}, spine)
    online = looked_up(published, spine["event_time"].to_list())
    names = [name for view in electricity_price.views for name in view.features]
    assert [found.features for found in online] == offline.select(names).to_dicts()
    assert not any(found.degraded for found in online)
    assert len(online) > 5_700


def test_moments_between_and_before_and_long_after(published: Engine) -> None:
    recorded = recorded_half_hours()[:HALF_HOURS]
    first, last = recorded["period_start"][0], recorded["period_start"][-1]
    moments = pl.datetime_range(first, last, "7h13m", time_zone="UTC", eager=True).to_list()
    moments = [datetime.fromisoformat("1990-01-01T00:00:00Z"), *moments, datetime.fromisoformat("1999-01-01T00:00:00Z")]
    spine = pl.DataFrame({"event_time": moments}).with_columns(region=pl.lit("NSW"))
    offline = compute(electricity_price.views, {"half_hours": recorded}, spine)
    online = looked_up(published, moments)
    names = [name for view in electricity_price.views for name in view.features]
    assert [found.features for found in online] == offline.select(names).to_dicts()
    assert online[0].degraded
    assert online[-1].degraded


def test_what_landed_computes_to_what_is_online(published: Engine) -> None:
    recorded = recorded_half_hours()[:HALF_HOURS]
    span = (recorded["period_start"][0], datetime.fromisoformat("1999-01-01T00:00:00Z"))
    with published.connect() as connection:
        held = landed(connection, half_hours, span)
    assert held.equals(recorded.select(held.columns))
