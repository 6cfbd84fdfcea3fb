"""A day that cannot be made is set aside: the others of its run are made, and training goes on without it."""

from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.errors import EmptyPartitionError, SourceError
from everfit.pipeline import daily_partitions, training_set
from everfit.pipeline.day_isolation import failing_days, make_isolated
from everfit.pipeline.lineage import Lineage, raw_dataset
from everfit.store import partitions
from everfit.store.tables import source_rows
from tests.examples import electricity
from tests.loop import Loop

MODEL = electricity().model
BAD = "1996-08-01"


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    """Everything from before the go-live has landed."""
    made = Loop(engine, tmp_path, MODEL, electricity().recorded)
    made.publish(until=MODEL.go_live)
    return made


def rewrite(connection: sa.Connection, period_start: str) -> int:
    """Give the row of a noon another time, past every door; returns how many rows that were."""
    row = source_rows.c.row.op("||")(sa.cast({"period_start": period_start}, JSONB))
    noon = source_rows.c.event_time == sa.cast(f"{BAD}T12:00:00Z", sa.DateTime(timezone=True))
    return connection.execute(sa.update(source_rows).where(noon).values(row=row)).rowcount


def some_days(loop: Loop) -> list[str]:
    return [day for day in daily_partitions.available_days(loop.runtime, MODEL) if "1996-07-20" <= day <= "1996-08-25"]


def land(loop: Loop, wanted: list[str]) -> list[str]:
    """The days whose raw data were cut, as the asset cuts them."""
    lots = make_isolated(loop.runtime, MODEL, "raw_data", wanted, partial(daily_partitions.land_days, loop.runtime, MODEL))
    return [day.day for lot in lots for day in lot]


def compute(loop: Loop, wanted: list[str]) -> list[str]:
    """The days whose features were made, as the asset makes them."""
    lots = make_isolated(loop.runtime, MODEL, "features", wanted, partial(daily_partitions.compute_days, loop.runtime, MODEL))
    return [day.day for lot in lots for day in lot.days]


def test_a_day_that_cannot_be_read_is_set_aside_and_the_others_are_cut(loop: Loop, engine: sa.Engine) -> None:
    wanted = some_days(loop)
    with engine.begin() as connection:
        assert rewrite(connection, "soon") == 1
    assert land(loop, wanted) == [day for day in wanted if day != BAD]
    with engine.begin() as connection:
        (why,) = failing_days(connection, MODEL).values()
        assert BAD not in partitions.newest(connection, raw_dataset(MODEL, "half_hours"))
        rewrite(connection, f"{BAD}T12:00:00Z")
    assert "a time that cannot be read" in why
    assert land(loop, [BAD]) == [BAD]
    with engine.connect() as connection:
        assert failing_days(connection, MODEL) == {}


def test_days_that_see_what_the_lake_has_lost_are_set_aside_and_training_goes_on_without_them(
    loop: Loop, engine: sa.Engine
) -> None:
    wanted = some_days(loop)
    land(loop, wanted)
    assert compute(loop, wanted) == wanted
    with engine.connect() as connection:
        lost = loop.runtime.lake.path(partitions.newest(connection, raw_dataset(MODEL, "half_hours"))[BAD], "parquet")
    content = lost.read_bytes()
    lost.unlink()
    looking = [
        day for day in wanted if any(seen == BAD for _, seen in Lineage.up_to_date(loop.runtime, MODEL).visible_days[day])
    ]
    assert BAD in looking
    assert compute(loop, wanted) == [day for day in wanted if day not in looking]
    with engine.connect() as connection:
        failing = failing_days(connection, MODEL)
    assert sorted(failing) == looking
    assert all("MissingObjectError" in why for why in failing.values())
    lost.write_bytes(content)
    assert trained_on(loop) == set(wanted) - set(looking), "what they hold is not made anew"
    assert compute(loop, looking) == looking
    assert trained_on(loop) == set(wanted)


def trained_on(loop: Loop) -> set[str]:
    assembled = training_set.assemble(loop.runtime, MODEL, cutoff=MODEL.go_live, request=None)
    rows = loop.runtime.lake.get_frame(assembled.rows_hash)
    return {day.isoformat() for day in rows[EVENT_TIME].dt.date().unique()}


def test_where_no_day_can_be_made_the_run_fails_as_it_would(loop: Loop, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        rewrite(connection, "soon")
    land = partial(daily_partitions.land_days, loop.runtime, MODEL)
    with pytest.raises(SourceError, match="a time that cannot be read"):
        make_isolated(loop.runtime, MODEL, "raw_data", [BAD], land)
    with pytest.raises(EmptyPartitionError):
        make_isolated(loop.runtime, MODEL, "raw_data", ["2030-01-01"], land)
