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
from everfit.evidence.triage import judge_day, judge_labels, judge_source_day
from everfit.evidence.usual.tails import Course, Range
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
        Number("warmth"),
        Number("gap", nullable=True),
        Number("still"),
        Integer("hour"),
        Category("zone"),
        Category("carrier"),
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
            "warmth": 15 + 5 * np.cos(hour / 24 * 2 * np.pi) + draw.normal(0, 1, count),
            "gap": pl.Series(gap).set(pl.Series(draw.random(count) < 0.1), None),
            "still": np.full(count, 0.25),
            "hour": hour.astype(np.int64),
            "zone": draw.choice(["east", "west", "mid"], count, p=[0.2, 0.7, 0.1]),
            "carrier": draw.choice(["AA", "UA", "B6"], count),
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
    "a thousand times as large": (feed(TODAY).with_columns(pl.col("load") * 1e3), {("load", "scale")}),
    "a thousandth": (feed(TODAY).with_columns(pl.col("price") / 1e3), {("price", "scale")}),
    "in °F": (feed(TODAY).with_columns(pl.col("warmth") * 1.8 + 32), {("warmth", "offset")}),
    "a sign turned": (feed(TODAY).with_columns(-pl.col("price")), {("price", "sign")}),
    "exchanged": (
        feed(TODAY).rename({"price": "load", "load": "price"}),
        {("price", "swapped"), ("load", "swapped")},
    ),
    "exchanged categories": (
        feed(TODAY).rename({"zone": "carrier", "carrier": "zone"}),
        {("zone", "swapped"), ("carrier", "swapped")},
    ),
    "another spelling": (
        feed(TODAY).with_columns(
            pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.col("zone").str.to_uppercase()).otherwise("zone")
        ),
        {("zone", "recoded")},
    ),
    "other codes": (
        feed(TODAY).with_columns(carrier=pl.col("carrier").replace({"AA": "1", "UA": "2", "B6": "3"})),
        {("carrier", "recoded")},
    ),
    "garbage": (
        feed(TODAY).with_columns(
            zone=pl.when(pl.int_range(pl.len()) % 3 > 0).then("zone").otherwise(pl.format("?{}", pl.int_range(pl.len())))
        ),
        {("zone", "recoded")},
    ),
    "shuffled": (feed(TODAY).with_columns(pl.col("load").shuffle(1)), {("load", "relation")}),
    "hours late": (feed(TODAY).with_columns((pl.col("hour") + 5) % 24), {("hour", "clock")}),
    "hours late by its course": (
        feed(TODAY).with_columns(warmth=pl.concat([feed(TODAY)["warmth"].tail(24), feed(TODAY)["warmth"].head(72)])),
        {("warmth", "clock")},
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_day_names_its_column_kind_and_figure(usual: DayProfile, broken: str) -> None:
    rows, expected = BROKEN[broken]
    evidence = judged(usual, rows)
    assert expected <= named(evidence)
    assert {column for column, _ in named(evidence)} == {column for column, _ in expected}
    assert set(evidence.detail["by_column"]) == {column for column, _ in expected}
    assert evidence.detail["breaks"][0]["days"] == [TODAY.isoformat()]


SHIFTED: Mapping[str, pl.DataFrame] = {
    "a mean": feed(TODAY).with_columns(pl.col("load") + 5),
    "a spread": feed(TODAY).with_columns(50 + 1.25 * (pl.col("load") - 50)),
    "a new category": feed(TODAY).with_columns(
        zone=pl.when(pl.int_range(pl.len()) % 5 > 0).then("zone").otherwise(pl.lit("north"))
    ),
    "a relation that is weaker": feed(TODAY).with_columns(pl.col("price") + pl.col("gap").fill_null(0)),
    "a relation that is new": feed(TODAY).with_columns(gap=(pl.col("load") - 50) / 20),
    "a column that comes alive": feed(TODAY).with_columns(still=pl.col("load") / 1e3),
    "summer time": feed(TODAY).with_columns((pl.col("hour") + 1) % 24),
    "twice the rows": feed(TODAY, rows=2 * ROWS),
}


def test_a_category_that_stays_for_days_is_not_stuck_where_it_stayed_for_one() -> None:
    """Every third day is of one zone alone; then a week is."""
    past = [START + timedelta(days=at) for at in range(DAYS)]
    west = [feed(day).with_columns(zone=pl.lit("west")) if at % 3 == 0 else feed(day) for at, day in enumerate(past)]
    profile = profile_source(FEED, pl.concat(west))
    before = [profile.figures(day, feed(day)) for day in past[-7:]]
    for at in range(7):
        day = TODAY + timedelta(days=at)
        evidence = judge_source_day(FEED, profile, day, feed(day).with_columns(zone=pl.lit("west")), before=before)
        assert evidence.verdict == "ok", evidence.reason
        figures = figures_in(evidence.detail)
        assert figures is not None
        before.append(figures)


@pytest.mark.parametrize("shifted", SHIFTED)
def test_what_has_shifted_is_not_broken(usual: DayProfile, shifted: str) -> None:
    evidence = judged(usual, SHIFTED[shifted])
    assert (evidence.verdict, evidence.reason) == ("ok", f"nothing broken in {SHIFTED[shifted].height} rows")


def test_a_day_in_which_all_follows_another_hour_has_another_clock(usual: DayProfile) -> None:
    rows = feed(TODAY).with_columns(at=pl.concat([feed(TODAY)["at"].tail(24), feed(TODAY)["at"].head(72)])).sort("at")
    rows = rows.with_columns(hour=pl.col("at").dt.hour().cast(pl.Int64))
    evidence = judged(usual, rows)
    assert named(evidence) == {("*", "clock")}
    assert "hours" in evidence.reason


def test_what_is_small_but_stays_is_told_by_the_run_of_days() -> None:
    """Two and a half deviations on each day: no day says so, a week of them does."""
    usual = Course.of(np.random.default_rng(0).normal(0, 1, 120).tolist())
    assert usual is not None
    moved = (np.random.default_rng(1).normal(0, 1, 14) + np.repeat([0, 2.5], 7)).tolist()
    assert [usual.beyond(moved[: 8 + day], 1e-4)[1] for day in range(7)] == [0, 0, 0, 0, 0, 7, 7]
    assert usual.extended([9.0] * 6) == usual
    assert usual.extended([9.0] * 7).single.high == 9
    assert Course.of([1.0, 2.0]) is None


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


LABELLED = electricity_price.model_copy(
    update={"views": [], "request": [Category("plant"), Number("load")], "entity": "plant", "name": "labelled"}
)


def outcomes(day: date, days: int = 1, seed: int = 0) -> pl.DataFrame:
    """Requests with an answer, and an outcome that follows it."""
    draw, rows = np.random.default_rng((seed, day.toordinal())), feed(day, days=days)
    answer = draw.uniform(0.1, 0.9, rows.height)
    return rows.select(
        _event_time="at",
        plant="plant",
        load="load",
        _score=pl.Series(answer),
        _label=pl.Series(draw.random(rows.height) < answer).cast(pl.Float64),
    )


@pytest.fixture(scope="module")
def labelled() -> DayProfile:
    return profile_requests(LABELLED, outcomes(START - timedelta(days=1), days=DAYS + 2))


BAD_OUTCOMES: Mapping[str, tuple[pl.Expr, str]] = {
    "all 0": (pl.lit(0.0), "100% of the outcomes are 0"),
    "all 1": (pl.lit(1.0), "100% of the outcomes are 1"),
    "inverted": (1 - pl.col("_label"), "the outcomes contradict the answers"),
    "stopped": (pl.lit(None, pl.Float64), "100% of the outcomes are not known when they are due"),
}


@pytest.mark.parametrize("bad", BAD_OUTCOMES)
def test_outcomes_that_are_broken_name_the_label(labelled: DayProfile, bad: str) -> None:
    made, words = BAD_OUTCOMES[bad]
    evidence = judge_labels(LABELLED, labelled, TODAY, outcomes(TODAY).with_columns(_label=made))
    assert named(evidence) == {("up", "labels")}
    assert words in evidence.reason
    accepted = judge_labels(LABELLED, labelled, TODAY, outcomes(TODAY).with_columns(_label=made), accepted={("up", "labels")})
    assert accepted.verdict == "ok"


def test_usual_outcomes_are_not_broken_nor_a_weaker_model(labelled: DayProfile) -> None:
    rows = outcomes(TODAY)
    assert judge_labels(LABELLED, labelled, TODAY, rows).verdict == "ok"
    weaker = rows.with_columns(
        _label=pl.when(pl.int_range(pl.len()) % 3 > 0).then("_label").otherwise(pl.col("_label").shuffle(3))
    )
    assert judge_labels(LABELLED, labelled, TODAY, weaker).verdict == "ok"
    assert judge_labels(LABELLED, labelled, TODAY, rows.clear()).verdict == "ok"


def test_half_of_the_outcomes_are_missing_only_where_days_before_had_them(labelled: DayProfile) -> None:
    half = outcomes(TODAY).with_columns(_label=pl.when(pl.int_range(pl.len()) % 3 == 0).then("_label"))
    assert judge_labels(LABELLED, labelled, TODAY, half).verdict == "ok"
    days = [TODAY - timedelta(days=back) for back in range(14, 0, -1)]
    before = [f for day in days if (f := figures_in(judge_labels(LABELLED, labelled, day, outcomes(day)).detail))]
    late = judge_labels(LABELLED, labelled, TODAY, half, before=before)
    assert "67% of the outcomes are not known when they are due" in late.reason


BAD_INPUT: Mapping[str, pl.DataFrame] = {
    "one row": feed(TODAY)[:1],
    "no row": feed(TODAY).clear(),
    "all null": feed(TODAY).with_columns(
        pl.lit(None).cast(kind).alias(name) for name, kind in feed(TODAY).schema.items() if name != "at"
    ),
    "constant": feed(TODAY).with_columns(pl.col(name).first() for name in feed(TODAY).columns if name != "at"),
    "infinite": feed(TODAY).with_columns(load=pl.lit(-np.inf), warmth=pl.lit(np.nan)),
    "a new column": feed(TODAY).with_columns(new=pl.lit(1.0)),
    "10,000 categories": feed(TODAY, rows=10_000).with_columns(zone=pl.format("z{}", pl.int_range(pl.len()))),
    "as text": feed(TODAY).with_columns(pl.col("load").cast(pl.String)),
}


@pytest.mark.parametrize("bad", BAD_INPUT)
def test_bad_input_has_a_verdict_in_words(usual: DayProfile, bad: str) -> None:
    evidence = judged(usual, BAD_INPUT[bad])
    assert evidence.verdict == ("ok" if bad == "a new column" else "alarm")
    assert evidence.reason


@pytest.mark.parametrize("column", ["load", "price", "zone", "gap"])
def test_a_training_time_without_values_or_with_one_value_judges_the_days_after(column: str) -> None:
    days = feed(START, days=30)
    for made in (pl.lit(None).cast(days.schema[column]), pl.col(column).drop_nulls().first()):
        past = profile_source(FEED, days.with_columns(made.alias(column)))
        assert judge_source_day(FEED, past, TODAY, feed(TODAY).with_columns(made.alias(column))).verdict == "ok"
        assert judge_source_day(FEED, past, TODAY, feed(TODAY)).reason


def test_a_budget_of_fewer_false_quarantines_never_narrows_a_limit() -> None:
    usual = Range.of([1.0, 2.0, 3.0, 2.0, 2.0, 1.5, 2.5] * 10)
    assert usual is not None
    limits = [usual.limits(chance) for chance in (1e-2, 1e-4, 1e-6)]
    assert limits == sorted(limits, key=lambda pair: -pair[0]) == sorted(limits, key=lambda pair: pair[1])
    assert usual.limits(0.4) == (1.0, 3.0)
    assert Range.of([]) is None


def test_a_source_without_numbers_has_no_relations() -> None:
    plain = Source(
        name="seen", columns=[Time("at"), Category("plant"), Category("zone")], identity=["plant", "at"], event_time="at"
    )
    seen = ["at", "plant", "zone"]
    profile = profile_source(plain, feed(START - timedelta(days=1), days=DAYS + 2).select(seen))
    day = feed(TODAY).select(seen)
    assert judge_source_day(plain, profile, TODAY, day).verdict == "ok"
    assert ("zone", "nulls") in named(judge_source_day(plain, profile, TODAY, day.with_columns(zone=pl.lit(None, pl.String))))
