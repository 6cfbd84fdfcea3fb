"""Whatever a row's delay, before or after its own time: the same features, however days are made, as serving answers."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from everfit import Category, Integer, Model, Number, Source, Time, count, feature_view, latest, mean, total
from everfit.declaration.values import Value
from everfit.pipeline import daily_partitions, partition_frames
from everfit.pipeline.lineage import features_dataset, outdated
from everfit.serving.lookup import Lookup
from everfit.sources.publication import publish
from everfit.store import partitions
from everfit.store.view_builds import build
from models.electricity_price import electricity_price
from tests.databases import emptied
from tests.loop import Loop
from tests.readings import declared_readings

START = datetime(2020, 1, 1, tzinfo=UTC)
DAYS, HOUR = 6, timedelta(hours=1)
Row = dict[str, Any]

readings = Source(
    name="readings",
    columns=[Integer("number"), Time("at"), Category("pump"), Number("value", nullable=True), Integer("delay_hours")],
    identity=["number"],
    event_time="at",
)
orders = Source(
    name="orders", columns=[Time("at"), Category("pump"), Integer("stopped")], identity=["at", "pump"], event_time="at"
)


def later(readings: Any) -> Any:
    """When each reading became known: its own delay after its time, or before it."""
    told = readings.to_native()
    return told.with_columns(known=pl.col("at") + pl.duration(hours=pl.col("delay_hours")), only=pl.col("value"))


@feature_view(key="pump", known_at="known", ttl="30h", features=latest("value"))
def newest(readings: Any) -> Any:
    """Forgotten after a day and a quarter."""
    return later(readings)


@feature_view(key="pump", known_at="known", features={"ever": latest("only")["only"]})
def newest_ever(readings: Any) -> Any:
    """Never forgotten."""
    return later(readings)


@feature_view(
    key="pump",
    known_at="known",
    features={"sum_2d": total("value", over="48h"), "mean_5h": mean("value", over="5h"), "count_1d": count("value", over="1d")},
)
def lately(readings: Any) -> Any:
    """Windows that begin and end in other days."""
    return later(readings)


@feature_view(key="pump", known_at="known", tie_break="number", features={"counted": total("only", over="24h")})
def tied(readings: Any) -> Any:
    """One row of a moment counts."""
    return later(readings)


def asked(orders: Any) -> Any:
    """What was asked is known at once."""
    import narwhals.stable.v2 as nw

    return orders.with_columns(event_time=nw.col("at"), observed_at=nw.col("at"))


MODEL: Model = electricity_price.model_copy(
    update={
        "name": "pumps",
        "task": electricity_price.task.model_copy(update={"label": "stopped"}),
        "entity": "pump",
        "go_live": START + timedelta(days=DAYS),
        "sources": [readings, orders],
        "request": [Category("pump")],
        "views": [newest, newest_ever, lately, tied],
        "history": asked,
    }
)
FEATURES = [name for view in MODEL.views for name in view.features]

hours = st.integers(-24, 24 * (DAYS + 2)).map(lambda hour: START + hour * HOUR)
delays = st.one_of(st.integers(-60, 60), st.sampled_from([0, 24, -24, 20 * 24, 5 * 24]))
pumps = st.sampled_from(["p1", "p2"])
values = st.one_of(st.none(), st.integers(-40, 40).map(lambda number: number / 8))


@st.composite
def publications(draw: st.DrawFn) -> list[list[Row]]:
    """Readings that are published in any order; a number that comes again corrects what it told."""
    row = st.fixed_dictionaries(
        {"number": st.integers(0, 12), "at": hours, "pump": pumps, "value": values, "delay_hours": delays}
    )
    return draw(st.lists(st.lists(row, min_size=1, max_size=6, unique_by=lambda one: one["number"]), min_size=1, max_size=4))


REQUESTS: list[Row] = [
    {"at": START + hour * HOUR, "pump": pump, "stopped": 0} for hour in range(0, 24 * DAYS, 6) for pump in ("p1", "p2")
]


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "60s")  # a busy machine may answer late, but not with other numbers
    return Loop(engine, tmp_path, MODEL, {"orders": pl.DataFrame(REQUESTS)})


def begin(loop: Loop) -> None:
    """Nothing but the requests has landed, and nothing was made."""
    engine = loop.runtime.engine
    emptied(engine)
    publish(engine, loop.runtime.models, "orders", REQUESTS)


def land(loop: Loop, rows: Sequence[Row]) -> None:
    publish(loop.runtime.engine, loop.runtime.models, "readings", rows)


def bring_up(loop: Loop) -> tuple[set[str], set[str]]:
    """What a backfill does; returns the days whose features were stale, and those that changed."""
    stale, before = outdated(loop.runtime, loop.model), made(loop)
    if stale.raw_data:
        daily_partitions.land_days(loop.runtime, loop.model, list(stale.raw_data))
    if stale.features:
        daily_partitions.compute_days(loop.runtime, loop.model, list(stale.features))
    after = made(loop)
    assert not outdated(loop.runtime, loop.model)
    return set(stale.features), {day for day in after if after[day] != before.get(day)}


def made(loop: Loop) -> dict[str, str]:
    with loop.runtime.engine.connect() as connection:
        return partitions.newest(connection, features_dataset(loop.model))


def stored(loop: Loop) -> list[dict[str, Value]]:
    """The features of every request, in order."""
    frame = partition_frames.load_features(loop.runtime, loop.model, list(made(loop).values()))
    return frame.select(FEATURES).to_dicts()


def served(loop: Loop) -> list[dict[str, Value]]:
    """The same as serving answers."""

    async def find() -> list[dict[str, Value]]:
        store = Lookup(loop.runtime.engine)
        readings = declared_readings(loop.model)
        found = [(await store.features(readings, [{"pump": one["pump"]}], one["at"]))[0].features for one in REQUESTS]
        await store.close()
        return found

    return asyncio.run(find())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(publications())
def test_together_one_by_one_after_corrections_and_online_are_one(loop: Loop, given_rows: list[list[Row]]) -> None:
    begin(loop)
    for rows in given_rows:
        land(loop, rows)
        bring_up(loop)
    step_by_step = stored(loop)
    assert step_by_step == served(loop)
    available = daily_partitions.available_days(loop.runtime, loop.model)
    forget(loop)
    for day in reversed(available):
        daily_partitions.compute_days(loop.runtime, loop.model, [day])
    assert stored(loop) == step_by_step
    forget(loop)
    daily_partitions.compute_days(loop.runtime, loop.model, available)
    assert stored(loop) == step_by_step


def declare(loop: Loop, model: Model) -> None:
    """Another declaration from now on."""
    loop.model = model
    loop.runtime.__dict__["models"] = {model.name: model}


def forget(loop: Loop) -> None:
    """Nothing was made of what has landed."""
    with loop.runtime.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM partition_versions"))


def reading(number: int, at: datetime, delay: timedelta, value: float = 1.0) -> Row:
    return {"number": number, "at": at, "pump": "p1", "value": value, "delay_hours": delay // HOUR}


FORGOTTEN = MODEL.model_copy(update={"views": [newest, lately, tied]})


@pytest.mark.parametrize(
    ("at", "delay", "seen_from", "seen_until"),
    [
        ("2020-01-02T05:00Z", timedelta(), 2, 4),  # 48 hours are over before the 4th is
        ("2019-12-14T05:00Z", timedelta(days=20), 3, 5),
        ("2020-01-05T05:00Z", timedelta(days=-3), 2, 4),
        ("2020-01-08T05:00Z", timedelta(days=-5), 3, 5),  # its own day is not whole by the model's clock
        ("2020-01-01T00:00Z", timedelta(days=1), 2, 3),  # known at midnight: the window's last instant is of the 3rd
    ],
)
def test_a_correction_makes_the_days_that_can_see_it_stale_and_right(
    loop: Loop, at: str, delay: timedelta, seen_from: int, seen_until: int
) -> None:
    declare(loop, FORGOTTEN)
    begin(loop)
    moment = datetime.fromisoformat(at)
    land(loop, [reading(1, moment, delay), reading(2, START + 143 * HOUR, timedelta())])
    bring_up(loop)
    land(loop, [reading(1, moment, delay, value=5.0)])
    stale, changed = bring_up(loop)
    expected = {f"2020-01-{day:02d}" for day in range(seen_from, seen_until + 1)}
    assert (stale, changed) == (expected, expected)
    assert outdated(loop.runtime, loop.model).days == []


def test_a_correction_that_is_known_later_leaves_the_days_before_it(loop: Loop) -> None:
    begin(loop)
    land(loop, [reading(1, START, timedelta(hours=1)), reading(2, START, timedelta(hours=2), value=3.0)])
    bring_up(loop)
    land(loop, [reading(1, START, timedelta(days=3))])
    bring_up(loop)
    assert stored(loop) == served(loop)
    assert [one["ever"] for one in stored(loop)][::2] == [None] + [3.0] * 11 + [1.0] * 12


def test_a_source_of_which_nothing_can_be_seen_is_no_fault(loop: Loop) -> None:
    begin(loop)
    build(loop.runtime.engine, loop.runtime.models)
    daily_partitions.compute_days(loop.runtime, loop.model, daily_partitions.available_days(loop.runtime, loop.model))
    assert stored(loop) == served(loop)
    assert {one["count_1d"] for one in stored(loop)} == {0.0}


def asked_between(orders: Any) -> Any:
    """Only what was asked after ten other orders and before three more: it takes all of them to tell."""
    place = pl.int_range(pl.len()).over("pump")
    told = orders.to_native().sort("at").with_columns(earlier=place, following=pl.len().over("pump") - place - 1)
    return told.filter(pl.col("earlier") >= 10, pl.col("following") >= 3).with_columns(event_time="at", observed_at="at")


def test_which_requests_there_are_does_not_hang_on_the_days_made_together(loop: Loop) -> None:
    declare(loop, MODEL.model_copy(update={"history": asked_between}))
    begin(loop)
    available = daily_partitions.available_days(loop.runtime, loop.model)
    daily_partitions.compute_days(loop.runtime, loop.model, available)
    together = made(loop)
    forget(loop)
    for day in available:
        daily_partitions.compute_days(loop.runtime, loop.model, [day])
    assert made(loop) == together
    assert len(stored(loop)) == len(REQUESTS) - 2 * (10 + 3)
    publish(loop.runtime.engine, loop.runtime.models, "orders", [{"at": START, "pump": "p1", "stopped": 1}])
    assert bring_up(loop) == (set(), set()), "the label is no part of the features"
    later = START + timedelta(days=DAYS) - HOUR
    publish(loop.runtime.engine, loop.runtime.models, "orders", [{"at": later, "pump": "p1", "stopped": 0}])
    assert bring_up(loop) == ({"2020-01-06"}, {"2020-01-06"}), "one more request of that day has three after it"
