"""Which days are out of date and why, and what a correction changes: on real rows, by the functions behind the assets."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from everfit import GradientBoosting, feature_view, mean
from everfit.pipeline import daily_partitions, partition_frames, training_set
from everfit.pipeline.data_versions import mark_reported, unreported
from everfit.pipeline.lineage import features_dataset, outdated, raw_dataset, stale_days
from everfit.sources.publication import publish
from everfit.store import partitions
from everfit.store.partitions import PartitionVersion
from everfit.store.tables import partition_versions
from everfit.timing import midnight
from models.electricity_price import electricity_price
from tests.loop import Loop

MODEL = electricity_price.model_copy(update={"candidates": [GradientBoosting(trees=20)]})
RECORDED: pl.DataFrame = MODEL.sources[0].recorded()  # type: ignore[misc]
UNTIL = datetime(1996, 6, 12, tzinfo=UTC)  # five weeks
CORRECTED = "1996-05-20"
RAW = raw_dataset(MODEL, "half_hours")
FEATURES = features_dataset(MODEL)


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    """Five weeks that have landed; nothing is made of them yet."""
    loop = Loop(engine, tmp_path, MODEL, {"half_hours": RECORDED})
    loop.publish(until=UNTIL)
    return loop


def correct(loop: Loop, day: str = CORRECTED) -> None:
    """One half-hour of the day gets another price."""
    row = RECORDED.filter(pl.col("period_start") == midnight(day) + timedelta(hours=6))
    assert publish(loop.runtime.engine, {MODEL.name: MODEL}, "half_hours", row.with_columns(price=1 - pl.col("price"))) == 1


def bring_up(loop: Loop) -> list[str]:
    """Make what is out of date, as a backfill does; returns the days."""
    stale = outdated(loop.runtime, loop.model)
    if stale.raw_data:
        daily_partitions.land_days(loop.runtime, loop.model, list(stale.raw_data))
    if stale.features:
        daily_partitions.compute_days(loop.runtime, loop.model, list(stale.features))
    return stale.days


def looking_back_on_the_corrected(days: Iterable[str]) -> list[str]:
    """The corrected day and the seven after it: the longest window is seven days."""
    return [day for day in days if CORRECTED <= day <= "1996-05-27"]


def held(loop: Loop, dataset: str) -> dict[str, PartitionVersion]:
    with loop.runtime.engine.connect() as connection:
        return partitions.newest_versions(connection, dataset)


def versions(loop: Loop, dataset: str, day: str) -> list[str]:
    """Hashes of all versions of a day, oldest first."""
    table = partition_versions
    query = sa.select(table.c.hash).where(table.c.dataset == dataset, table.c.partition == day).order_by(table.c.version)
    with loop.runtime.engine.connect() as connection:
        return list(connection.execute(query).scalars())


def test_what_is_named_like_an_object_of_the_lake_is_one(loop: Loop) -> None:
    bring_up(loop)
    mark_reported(loop.runtime, MODEL, unreported(loop.runtime, MODEL))
    named = sa.select(partition_versions.c.hash).where(sa.func.length(partition_versions.c.hash) == 64)
    with loop.runtime.engine.connect() as connection:
        hashes = connection.execute(named).scalars().all()
    assert len(hashes) > 2 * len(daily_partitions.available_days(loop.runtime, MODEL))
    assert all(loop.runtime.lake.path(digest, "parquet").exists() for digest in hashes)


def test_what_was_made_is_not_made_again(loop: Loop) -> None:
    made = bring_up(loop)
    assert made == daily_partitions.available_days(loop.runtime, MODEL)
    assert held(loop, RAW)[CORRECTED].inputs == {"changes": 1}
    inputs = held(loop, FEATURES)[CORRECTED].inputs
    assert (inputs["since"], inputs["requests"]) == ("1996-05-13", 0), "what became known at its midnight is a week old"
    assert not outdated(loop.runtime, MODEL)
    loop.publish(until=UNTIL)
    assert bring_up(loop) == [], "rows that have landed before touch nothing"


def test_a_lone_day_is_as_one_made_with_all_others(loop: Loop) -> None:
    alone = daily_partitions.compute_days(loop.runtime, MODEL, [CORRECTED])
    assert [one.day for one in alone.cut] == [f"1996-05-{day:02d}" for day in range(13, 21)], "its look-back was cut first"

    bring_up(loop)
    assert versions(loop, FEATURES, CORRECTED) == [alone.days[0].data_version]


def test_a_correction_reaches_exactly_the_days_that_look_back_on_it(loop: Loop) -> None:
    bring_up(loop)
    before = {day: version.hash for day, version in held(loop, FEATURES).items()}
    correct(loop)
    stale = outdated(loop.runtime, MODEL)
    seen_by = looking_back_on_the_corrected(before)
    assert list(stale.raw_data.items()) == [(CORRECTED, "rows were added or corrected")]
    assert list(stale.features) == seen_by
    assert set(stale.features.values()) == {"rows that it looks back on were added or corrected"}
    assert stale_days(loop.runtime, MODEL, before=midnight(seen_by[3])) == seen_by[:3]
    bring_up(loop)
    after = {day: version.hash for day, version in held(loop, FEATURES).items()}
    changed = [day for day in before if after[day] != before[day]]
    assert changed[0] == CORRECTED
    assert set(changed) <= set(seen_by)
    assert not outdated(loop.runtime, MODEL)


def test_a_correction_is_trained_on_next_and_leaves_the_past_as_it_was(loop: Loop) -> None:
    bring_up(loop)
    first = training_set.assemble(loop.runtime, MODEL, cutoff=UNTIL, request=None)
    rows = loop.runtime.lake.get_frame(first.rows_hash)
    correct(loop)
    unaware = training_set.assemble(loop.runtime, MODEL, cutoff=UNTIL, request=None)
    assert unaware.days == first.days
    bring_up(loop)
    second = training_set.assemble(loop.runtime, MODEL, cutoff=UNTIL, request=None)
    assert second.days[CORRECTED] != first.days[CORRECTED]
    assert second.rows_hash != first.rows_hash
    assert versions(loop, FEATURES, CORRECTED) == [first.days[CORRECTED], second.days[CORRECTED]]
    partition_frames.load_features(loop.runtime, MODEL, list(first.days.values()))
    assert loop.runtime.lake.get_frame(first.rows_hash).equals(rows)


def test_a_correction_that_is_taken_back_makes_no_third_content(loop: Loop) -> None:
    bring_up(loop)
    correct(loop)
    bring_up(loop)
    loop.publish(until=UNTIL)
    assert bring_up(loop)[0] == CORRECTED
    first, second, third = versions(loop, RAW, CORRECTED)
    assert first == third != second


def test_a_day_that_lands_late_touches_those_after_it(loop: Loop) -> None:
    late = pl.col("period_start").is_between(midnight("1996-06-12"), midnight("1996-06-14"), closed="left")
    later = RECORDED.filter(pl.col("period_start").is_between(midnight("1996-06-14"), midnight("1996-06-16"), closed="left"))
    publish(loop.runtime.engine, {MODEL.name: MODEL}, "half_hours", later)
    bring_up(loop)
    publish(loop.runtime.engine, {MODEL.name: MODEL}, "half_hours", RECORDED.filter(late))
    stale = outdated(loop.runtime, MODEL)
    assert set(stale.raw_data.values()) == {"never made"}
    assert list(stale.features) == ["1996-06-12", "1996-06-13", "1996-06-14", "1996-06-15"]


def test_requests_that_are_logged_later_make_their_day_anew(engine: sa.Engine, tmp_path: Path) -> None:
    live = MODEL.model_copy(update={"go_live": UNTIL})
    loop = Loop(engine, tmp_path, live, {"half_hours": RECORDED})
    loop.bootstrap()
    loop.play(UNTIL, UNTIL + timedelta(hours=30))
    loop.play(UNTIL + timedelta(hours=30), UNTIL + timedelta(hours=60))
    bring_up(loop)
    assert held(loop, FEATURES)["1996-06-13"].inputs["requests"] == 48
    with engine.begin() as connection:
        gone = "DELETE FROM predictions WHERE event_time = '1996-06-13 06:00Z'"
        assert connection.execute(sa.text(gone)).rowcount == 1
    assert bring_up(loop) == [], "what was pruned from the log takes nothing from a day that was made"


@pytest.fixture
def made(loop: Loop) -> Loop:
    bring_up(loop)
    return loop


def test_another_declaration_makes_anew_exactly_what_reads_it(made: Loop) -> None:
    @feature_view(key="region", known_at="period_start", features={"price_1h": mean("price", over="1h")})
    def market_hour(half_hours: object) -> object:
        return half_hours

    runtime = made.runtime
    more_views = MODEL.model_copy(update={"views": [*MODEL.views, market_hour]})
    stale = outdated(runtime, more_views)
    assert (stale.raw_data, set(stale.features.values())) == ({}, {"the features' declaration changed"})
    half_hours = MODEL.sources[0]
    fewer = half_hours.model_copy(update={"columns": half_hours.columns[:-1]})
    other_source = MODEL.model_copy(update={"sources": [fewer], "views": MODEL.views[1:]})
    assert set(outdated(runtime, other_source).raw_data.values()) == {"the sources' declaration changed"}
    other_recipe = MODEL.model_copy(update={"candidates": [GradientBoosting(trees=30)]})
    assert not outdated(runtime, other_recipe)
