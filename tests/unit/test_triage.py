"""Days of a source and of a model's requests that are broken on purpose, each named by column, kind and figure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from everfit import Category, Integer, Number, Source, Time
from everfit.evidence import Evidence
from everfit.evidence.day_figures import DayFigures, figures_in
from everfit.evidence.day_profile import DayProfile, profile_days, profile_requests, profile_source
from everfit.evidence.triage import judge_day, judge_source_day
from models.electricity_price import electricity_price

START = date(2024, 1, 1)
DAYS, ROWS = 60, 96
TODAY = START + timedelta(days=DAYS)

FEED = Source(
    name="feed",
    columns=[
        Time("at"),
        Category("plant"),
        Number("load", between=(-100, 100_000), description="bounded"),
        Number("price"),
        Number("gap", nullable=True),
        Number("still"),
        Category("zone"),
    ],
    identity=["plant", "at"],
    event_time="at",
)


def feed(day: date, seed: int = 0, rows: int = ROWS, days: int = 1) -> pl.DataFrame:
    """Two plants: load follows the hour, price follows the load, and a tenth of ``gap`` is null."""
    draw, count = np.random.default_rng((seed, day.toordinal())), rows * days
    start = datetime.combine(day, datetime.min.time(), UTC)
    hour = np.arange(count) % rows * 24 / rows
    load = 50 + 20 * np.sin(hour / 24 * 2 * np.pi) + draw.normal(0, 2, count)
    gap = draw.normal(0, 1, count)
    return pl.DataFrame(
        {
            "at": [start + timedelta(days=1) / rows * i for i in range(count)],
            "plant": np.resize(["north", "south"], count),
            "load": load,
            "price": load / 10 + draw.normal(0, 0.2, count),
            "gap": pl.Series(gap).set(pl.Series(draw.random(count) < 0.1), None),
            "still": np.full(count, 0.25),
            "zone": draw.choice(["east", "west", "mid"], count, p=[0.2, 0.7, 0.1]),
        },
        schema_overrides={"at": pl.Datetime("us", "UTC")},
    )


@pytest.fixture(scope="module")
def usual() -> DayProfile:
    return profile_source(FEED, feed(START - timedelta(days=1), days=DAYS + 2))


def named(evidence: Evidence) -> set[tuple[str, str]]:
    """Column and kind of each break."""
    return {(fault["column"], fault["kind"]) for fault in evidence.detail.get("breaks", [])}


def judged(usual: DayProfile, rows: pl.DataFrame, **options: Any) -> Evidence:
    return judge_source_day(FEED, usual, TODAY, rows, **options)


def test_a_profile_rests_on_whole_days_and_is_read_as_it_was_written(usual: DayProfile) -> None:
    assert usual.days == DAYS
    assert msgspec.json.decode(msgspec.json.encode(usual), type=DayProfile) == usual


def test_a_usual_day_is_not_broken_and_keeps_its_figures_for_the_days_after(usual: DayProfile) -> None:
    evidence = judged(usual, feed(TODAY))
    assert (evidence.verdict, evidence.reason) == ("ok", "nothing broken in 96 rows")
    figures = figures_in(evidence.detail)
    assert isinstance(figures, DayFigures)
    assert (figures.day, figures.rows) == (TODAY, ROWS)


BROKEN: Mapping[str, tuple[pl.DataFrame, set[tuple[str, str]]]] = {
    "nulls": (
        feed(TODAY).with_columns(price=pl.when(pl.int_range(pl.len()) % 10 >= 3).then("price")),
        {("price", "nulls")},
    ),
    "more nulls": (feed(TODAY).with_columns(gap=pl.lit(None, pl.Float64)), {("gap", "nulls")}),
    "infinities": (feed(TODAY).with_columns(price=pl.lit(np.inf)), {("price", "nulls")}),
    "stuck": (feed(TODAY).with_columns(load=pl.lit(50.0)), {("load", "stuck")}),
    "stuck for a part of the day": (
        feed(TODAY).with_columns(load=pl.when(pl.int_range(pl.len()) < 40).then(50.0).otherwise("load")),
        {("load", "stuck")},
    ),
    "a third of the rows": (feed(TODAY)[::3], {("*", "volume")}),
    "an afternoon without rows": (feed(TODAY).filter(pl.col("at").dt.hour() < 19), {("*", "volume")}),
    "no rows": (feed(TODAY).clear(), {("*", "missing_day")}),
    "doubled": (pl.concat([feed(TODAY), feed(TODAY)]), {("*", "duplicates")}),
    "bounds": (feed(TODAY).with_columns(load=pl.col("load") - 1e3), {("load", "bounds")}),
    "a column gone": (feed(TODAY).drop("price"), {("price", "schema")}),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_day_names_its_column_kind_and_figure(usual: DayProfile, broken: str) -> None:
    rows, expected = BROKEN[broken]
    evidence = judged(usual, rows)
    assert expected <= named(evidence)
    assert {column for column, _ in named(evidence)} == {column for column, _ in expected}
    assert set(evidence.detail["by_column"]) == {column for column, _ in expected}
    assert evidence.detail["breaks"][0]["days"] == [TODAY.isoformat()]


def test_what_a_person_has_released_is_not_raised_again(usual: DayProfile) -> None:
    rows = feed(TODAY).with_columns(load=pl.lit(50.0), gap=pl.lit(None, pl.Float64))
    assert named(judged(usual, rows)) == {("load", "stuck"), ("gap", "nulls")}
    assert named(judged(usual, rows, accepted={("load", "stuck")})) == {("gap", "nulls")}
    assert judged(usual, rows, accepted={("load", "stuck"), ("gap", "nulls")}).verdict == "ok"


def test_too_little_history_tells_nothing_but_what_needs_none() -> None:
    young = profile_source(FEED, feed(START, days=9))
    assert judged(young, feed(TODAY)[:1]).verdict == "insufficient"
    assert "7 whole days to compare with" in judged(young, feed(TODAY)).reason
    assert named(judged(young, feed(TODAY).with_columns(load=pl.lit(-1e3)))) == {("load", "bounds")}
    assert judged(profile_source(FEED, feed(START).clear()), feed(TODAY)).verdict == "insufficient"


def test_days_before_that_were_not_broken_are_usual_too(usual: DayProfile) -> None:
    """A third of the rows for two weeks, released day by day, is then as usual as the whole."""
    days = [TODAY - timedelta(days=back) for back in range(14, 0, -1)]
    before = [usual.figures(day, feed(day)[::3]) for day in days]
    assert judged(usual, feed(TODAY)[::3], before=before).verdict == "ok"


def test_requests_are_judged_by_their_features_and_by_the_schema_they_were_logged_with() -> None:
    model = electricity_price.model_copy(
        update={
            "views": [],
            "request": [Category("plant"), Number("load"), Integer("hour", between=(0, 23))],
            "entity": "plant",
        }
    )

    def requests(day: date, days: int = 1) -> pl.DataFrame:
        rows = feed(day, days=days).rename({"at": "_event_time"})
        hour = pl.col("_event_time").dt.hour().cast(pl.Float64)
        return rows.select("_event_time", "plant", "load", hour=hour, _schema=pl.lit(model.schema_id))

    past = profile_requests(model, requests(START, days=DAYS))
    assert judge_day(model, past, TODAY, requests(TODAY)).verdict == "ok"
    of_another = judge_day(model, past, TODAY, requests(TODAY).with_columns(_schema=pl.lit("other")))
    assert named(of_another) == {("*", "schema")}
    assert "other, which nobody declared" in of_another.reason
    known = judge_day(model, past, TODAY, requests(TODAY).with_columns(_schema=pl.lit("other")), schemas=["other"])
    assert known.verdict == "ok"
    given_up = requests(TODAY).with_columns(load=pl.lit(None, pl.Float64))
    assert named(judge_day(model, past, TODAY, given_up)) == {("load", "nulls")}
    assert judge_day(model, past, TODAY, given_up, gone=["load"]).verdict == "ok"
    assert judge_day(model, past, TODAY, requests(TODAY)[::5], whole=False).verdict == "ok"


def test_a_profile_of_columns_without_values_judges_what_it_can() -> None:
    frame = feed(START, days=30).with_columns(price=pl.lit(None, pl.Float64))
    past = profile_days([("price", "number"), ("still", "number")], frame, time="at")
    rows = feed(START + timedelta(days=30))
    assert judge_source_day(FEED, past, TODAY, rows).verdict == "ok"
