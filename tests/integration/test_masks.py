"""A quarantined day of a source leaves the views that look back on it, offline and online, and comes back by a release."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.declaration.values import Value
from everfit.features.offline import compute
from everfit.pipeline import daily_partitions
from everfit.pipeline.lineage import features_dataset
from everfit.serving.lookup import Lookup, ViewFeatures
from everfit.sources.mask_changes import release
from everfit.store import partitions, quarantines
from tests.examples import electricity
from tests.loop import Loop
from tests.readings import declared_readings

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MODEL = electricity().model
BROKEN = MODEL.go_live + 2 * DAY
DEMAND = ("demand", "demand_24h", "demand_yesterday")
LATER = BROKEN + DAY + 12 * HOUR


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    """Four days, on the third of which the source's demand is stuck; a row of before is the last that is right."""
    made = Loop(engine, tmp_path, MODEL, electricity().recorded)
    made.bootstrap()
    is_broken = pl.col("period_start").is_between(BROKEN, BROKEN + DAY, closed="left")
    stuck = pl.when(is_broken).then(0.25).otherwise(pl.col("demand"))
    made.recorded = {"half_hours": electricity().recorded["half_hours"].with_columns(demand=stuck)}
    made.play(MODEL.go_live, BROKEN + DAY + HOUR)
    return made


def online(loop: Loop, at: datetime, **default: Value) -> tuple[dict[str, Value], bool]:
    """What serving reads at a moment, with declared defaults, and whether it is degraded."""
    readings = [
        each._replace(view=replace(each.view, default={name: default[name] for name in default if name in each.view.features}))
        for each in declared_readings(MODEL)
    ]

    async def look() -> ViewFeatures:
        lookup = Lookup(loop.runtime.engine)
        try:
            (found,) = await lookup.features(readings, [{"region": "NSW"}], at)
        finally:
            await lookup.close()
        return found

    features, degraded = asyncio.run(look())
    return features, degraded


def offline(loop: Loop, at: datetime) -> dict[str, Value]:
    """The features of the request at a moment, as its day is made for training."""
    day = f"{at:%Y-%m-%d}"
    daily_partitions.compute_days(loop.runtime, MODEL, [day])
    with loop.runtime.engine.connect() as connection:
        digest = partitions.newest(connection, features_dataset(MODEL))[day]
    (row,) = loop.runtime.lake.get_frame(digest).filter(pl.col(EVENT_TIME) == at).rows(named=True)
    return {name: row[name] for view in MODEL.views for name in view.features}


def as_landed(loop: Loop, at: datetime) -> dict[str, Value]:
    """The features with all rows as they were published."""
    (row,) = compute(MODEL.views, loop.recorded, pl.DataFrame({EVENT_TIME: [at], "region": ["NSW"]})).rows(named=True)
    return {name: row[name] for view in MODEL.views for name in view.features}


def test_what_is_masked_is_missing_offline_and_online_and_comes_back_by_a_release(loop: Loop) -> None:
    soon, last = BROKEN + DAY + HOUR, BROKEN - timedelta(microseconds=1)
    assert online(loop, soon) == (as_landed(loop, soon), False)
    loop.check_days()
    (found, degraded), truth = online(loop, soon), as_landed(loop, soon)
    assert degraded
    before = as_landed(loop, last)["demand"], None, as_landed(loop, last)["demand_yesterday"]  # none of the last day is known
    assert tuple(found[name] for name in DEMAND) == before
    untouched = [name for name in truth if name not in DEMAND]
    assert [found[name] for name in untouched] == [truth[name] for name in untouched]
    assert online(loop, soon, demand=0.4)[0]["demand"] == 0.4, "a declared default comes first"

    loop.play(soon, BROKEN + 2 * DAY + HOUR)
    loop.check_days()
    assert online(loop, BROKEN + 2 * DAY + HOUR) == (as_landed(loop, BROKEN + 2 * DAY + HOUR), False), "the day after was whole"
    (found, degraded), made = online(loop, LATER), offline(loop, LATER)
    assert degraded
    compared = [name for name in made if name != "demand_yesterday"]  # of the broken day: null offline
    assert [found[name] for name in compared] == [made[name] for name in compared]
    assert made["demand_yesterday"] is None
    assert made["demand_24h"] != as_landed(loop, LATER)["demand_24h"]

    with loop.runtime.engine.begin() as connection:
        held = quarantines.of_model(connection, MODEL.name)
        assert release(connection, loop.runtime.models, held, "ann", "the meter was right") == len(held)
    assert online(loop, LATER) == (as_landed(loop, LATER), False)
    assert offline(loop, LATER) == as_landed(loop, LATER)
