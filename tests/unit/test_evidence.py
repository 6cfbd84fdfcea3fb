"""Detectors on seeded streams with exact alarm positions; our distances against Evidently's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from everfit import Category, DriftPolicy, Integer, Number
from everfit.declaration.views import Kind
from everfit.errors import FeatureError
from everfit.evidence.calibration import Calibration, calibrate, reference_sample, sample
from everfit.evidence.column_statistics import null_share
from everfit.evidence.drift import judge_drift
from everfit.evidence.freshness import judge_freshness
from everfit.evidence.measures import measure_named
from everfit.evidence.out_of_bounds import within
from everfit.evidence.performance import Expectation, judge_performance
from everfit.evidence.quality import judge_quality, profile
from models.electricity_price import electricity_price

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
WEEKS = 26
CUTOFF = START + WEEKS * WEEK
ROWS = 200  # a week
COLUMNS: list[tuple[str, Kind]] = [("load", "number"), ("zone", "category"), ("still", "number"), ("_score", "number")]
POLICY = DriftPolicy(window=WEEK, min_rows=100, sample_rows=1_000)


def stream(weeks: int, *, start: datetime = START, seed: int = 0, shift: float = 0.0) -> pl.DataFrame:
    """A season and some noise, a category, a number that never moves, and scores."""
    random = np.random.default_rng(seed)
    rows = weeks * ROWS
    return pl.DataFrame(
        {
            "_event_time": [start + i * WEEK / ROWS for i in range(rows)],
            "load": np.sin(np.arange(rows) / ROWS) + random.normal(0, 0.5, rows) + shift,
            "zone": random.choice(["east", "west"], rows, p=[0.3, 0.7]),
            "still": np.full(rows, 0.25),
            "_score": random.beta(2, 2, rows),
        },
        schema_overrides={"_event_time": pl.Datetime("us", "UTC")},
    )


MODEL = electricity_price.model_copy(
    update={"views": [], "request": [Number("load"), Category("zone"), Number("still"), Integer("hour", between=(0, 23))]}
)


def quality_stream(weeks: int) -> pl.DataFrame:
    """The stream as it is logged, with a bounded request field."""
    hours = pl.col("_event_time").dt.hour().cast(pl.Float64)
    return stream(weeks).with_columns(hour=hours, _schema=pl.lit(MODEL.schema_id))


@pytest.fixture(scope="module")
def reference() -> pl.DataFrame:
    return reference_sample(POLICY, stream(WEEKS), COLUMNS, cutoff=CUTOFF)


@pytest.fixture(scope="module")
def calibration(reference: pl.DataFrame) -> Calibration:
    return calibrate(POLICY, stream(WEEKS), reference, COLUMNS, cutoff=CUTOFF)


def alarms(calibration: Calibration, reference: pl.DataFrame, later: pl.DataFrame) -> list[int]:
    """The positions of the alarmed weeks."""
    weeks = [later[i : i + ROWS] for i in range(0, later.height, ROWS)]
    return [i for i, week in enumerate(weeks) if judge_drift(calibration, reference, week)[0].verdict == "alarm"]


def test_rows_in_another_order_and_answers_that_are_added_to_the_samples_calibrate_alike(
    reference: pl.DataFrame, calibration: Calibration
) -> None:
    rows = stream(WEEKS)
    answers = dict(zip(rows["_event_time"], rows["_score"], strict=True))

    def answered(sampled: pl.DataFrame) -> pl.DataFrame:
        return sampled.with_columns(_score=sampled["_event_time"].replace_strict(answers))

    given: dict[str, Any] = {"cutoff": CUTOFF, "answered": answered}
    assert reference_sample(POLICY, rows.drop("_score"), COLUMNS, **given).equals(reference)
    assert calibrate(POLICY, rows.drop("_score"), reference, COLUMNS, **given) == calibration
    small = POLICY.model_copy(update={"sample_rows": ROWS})
    shuffled = pl.concat([rows[ROWS:], rows[:ROWS]])
    assert calibrate(small, shuffled, reference, COLUMNS, cutoff=CUTOFF) == calibrate(
        small, rows, reference, COLUMNS, cutoff=CUTOFF
    )


def test_calibration_rests_on_the_whole_windows_of_the_reference_span(calibration: Calibration) -> None:
    assert calibration.windows == 25  # 180 days hold 25 weeks
    assert len(calibration.thresholds) == 2 * len(COLUMNS)
    assert calibration.limit >= 2
    assert msgspec.json.decode(msgspec.json.encode(calibration), type=Calibration) == calibration


def test_calibration_sees_nothing_at_or_after_the_cutoff(calibration: Calibration, reference: pl.DataFrame) -> None:
    more = pl.concat([stream(WEEKS), stream(4, start=CUTOFF, seed=9, shift=50.0)])
    assert reference_sample(POLICY, more, COLUMNS, cutoff=CUTOFF).equals(reference)
    assert calibrate(POLICY, more, reference, COLUMNS, cutoff=CUTOFF) == calibration


def test_a_smaller_budget_of_false_alarms_never_lowers_a_threshold(reference: pl.DataFrame) -> None:
    limits = []
    for budget in (12.0, 4.0, 0.5):
        policy = POLICY.model_copy(update={"false_alarms_per_year": budget, "safety": 4.0})
        limits.append(calibrate(policy, stream(WEEKS), reference, COLUMNS, cutoff=CUTOFF).limit)
    assert limits == sorted(limits)
    assert limits[0] < limits[-1]


def test_nothing_is_alarmed_while_nothing_happens_and_a_shift_at_once(
    calibration: Calibration, reference: pl.DataFrame
) -> None:
    quiet, shifted = stream(6, start=CUTOFF, seed=1), stream(3, start=CUTOFF + 6 * WEEK, seed=2, shift=3.0)
    assert alarms(calibration, reference, pl.concat([quiet, shifted])) == [6, 7, 8]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (pl.lit(0.26).alias("still"), "still"),
        (pl.lit("north").alias("zone"), "zone"),
        (pl.when(pl.int_range(pl.len()) % 2 == 0).then("load").alias("load"), "load"),
        (pl.lit(None, dtype=pl.Float64).alias("load"), "load"),
        (pl.lit(None, dtype=pl.String).alias("zone"), "zone"),
        (pl.lit(0.99).alias("_score"), "_score"),
    ],
    ids=["constant comes alive", "new category", "half null", "all null", "category all null", "scores collapse"],
)
def test_every_kind_of_change_is_drift(calibration: Calibration, reference: pl.DataFrame, change: pl.Expr, column: str) -> None:
    week = stream(1, start=CUTOFF, seed=3)
    evidence, html = judge_drift(calibration, reference, week.with_columns(change))
    assert evidence.verdict == "alarm"
    assert column in evidence.reason
    assert {found["column"] for found in evidence.detail["columns"] if found["drifted"]} == {column}
    assert evidence.statistic is not None
    assert evidence.threshold is not None
    assert evidence.statistic >= evidence.threshold
    assert html is None
    assert msgspec.json.decode(msgspec.json.encode(evidence.detail)) == evidence.detail


def test_our_distances_are_evidentlys(calibration: Calibration, reference: pl.DataFrame) -> None:
    week = stream(1, start=CUTOFF, seed=4, shift=0.3).with_columns(
        load=pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("load"),
        zone=pl.when(pl.int_range(pl.len()) % 5 == 0).then(pl.lit("north")).otherwise("zone"),
    )
    evidence, _ = judge_drift(calibration, reference, week)
    for found in evidence.detail["columns"]:
        ours = measure_named(found["measure"]).distance(reference[found["column"]], week[found["column"]])
        assert ours == pytest.approx(found["distance"], abs=1e-12)


def test_the_report_is_one_page_and_only_of_an_alarm(calibration: Calibration, reference: pl.DataFrame) -> None:
    quiet, html = judge_drift(calibration, reference, stream(1, start=CUTOFF, seed=1), html=True)
    assert (quiet.verdict, html) == ("ok", None)
    _, html = judge_drift(calibration, reference, stream(1, start=CUTOFF, seed=1, shift=5.0), html=True)
    assert html is not None
    assert judge_drift(calibration, reference, stream(1, start=CUTOFF, seed=1, shift=5.0), html=True)[1] == html
    assert html.lstrip().lower().startswith(("<html", "<!doctype"))


def test_too_little_is_insufficient_and_a_missing_column_is_named(calibration: Calibration, reference: pl.DataFrame) -> None:
    week = stream(1, start=CUTOFF)
    assert judge_drift(calibration, reference, week[:99])[0].verdict == "insufficient"
    uncalibrated = calibrate(POLICY, stream(1), reference, COLUMNS, cutoff=START + timedelta(days=6))
    assert judge_drift(uncalibrated, reference, week)[0].verdict == "insufficient"
    with pytest.raises(FeatureError, match="'zone'"):
        judge_drift(calibration, reference, week.drop("zone"))


def test_a_sample_is_bounded_seeded_and_in_order() -> None:
    frame = stream(10)
    drawn = sample(frame, 500, seed=1)
    assert drawn.height == 500
    assert drawn["_event_time"].is_sorted()
    assert drawn.equals(sample(frame, 500, seed=1))
    assert not drawn.equals(sample(frame, 500, seed=2))


def test_distances_by_hand() -> None:
    assert measure_named("wasserstein").distance(pl.Series([0.0, 2.0]), pl.Series([3.0, 5.0])) == pytest.approx(3.0)
    assert measure_named("wasserstein").distance(pl.Series([1.0, 1.0]), pl.Series([2.0])) == pytest.approx(1_000)
    assert measure_named("jensenshannon").distance(pl.Series(["a"]), pl.Series(["b"])) == pytest.approx(np.sqrt(np.log(2)))
    assert measure_named("jensenshannon").distance(pl.Series(["a"]), pl.Series(["a", "a"])) == 0
    assert null_share(pl.Series([1.0, None, float("nan"), float("inf")])) == 0.75


def test_performance_alarms_where_even_the_lower_bound_is_worse_than_tolerated() -> None:
    days, labels = np.repeat(np.arange(7), 48), np.tile([1.0, 0.0], 168)
    good, bad = np.where(labels == 1, 0.8, 0.2), np.where(labels == 1, 0.55, 0.45)
    expected, metric = Expectation(float(-np.log(0.8))), electricity_price.metric
    verdicts = [
        judge_performance(metric, days, labels, scores, expected=expected, min_rows=200).verdict
        for scores in (good, bad, 1 - good)
    ]
    assert verdicts == ["ok", "alarm", "alarm"]
    assert judge_performance(metric, days[:48], labels[:48], bad[:48], expected=expected, min_rows=10).verdict == "insufficient"
    assert judge_performance(metric, days, labels, bad, expected=expected, min_rows=337).verdict == "insufficient"


@pytest.mark.parametrize(("age_days", "verdict"), [(89.9, "ok"), (90, "alarm"), (120, "alarm")])
def test_freshness_is_the_age_of_the_training_data(age_days: float, verdict: str) -> None:
    evidence = judge_freshness(START, START + timedelta(days=age_days), timedelta(days=90))
    assert (evidence.verdict, evidence.statistic, evidence.threshold) == (verdict, age_days, 90)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"load": pl.lit(None, dtype=pl.Float64)}, "load is null in 100%"),
        ({"load": pl.lit(0.5)}, "load is stuck at 0.5"),
        ({"still": pl.col("load")}, None),
        ({"zone": pl.lit("north") + pl.int_range(pl.len()).cast(pl.String)}, None),
        ({"hour": pl.col("hour") + 24}, "hour outside 0 to 23 in 200 rows, such as 24.0"),
        ({"_schema": pl.lit("other")}, "schema other, which nobody declared"),
    ],
    ids=["nothing", "nulls", "stuck", "constant comes alive", "new categories", "bounds", "schema"],
)
def test_quality_finds_breaks_and_leaves_drift_alone(change: dict[str, pl.Expr], told: str | None) -> None:
    evidence = judge_quality(MODEL, profile(MODEL, quality_stream(WEEKS)), quality_stream(1).with_columns(**change))
    assert evidence.verdict == ("alarm" if told else "ok")
    assert (told or "nothing broken") in evidence.reason


@pytest.mark.parametrize(("rows", "verdict"), [(0, "ok"), (2, "ok"), (3, "alarm"), (200, "alarm")])
def test_a_share_of_rows_out_of_bounds_is_tolerated(rows: int, verdict: str) -> None:
    hour = pl.when(pl.int_range(pl.len()) < rows).then(24.0).otherwise("hour").alias("hour")
    evidence = judge_quality(MODEL, profile(MODEL, quality_stream(WEEKS)), quality_stream(1).with_columns(hour))
    assert evidence.verdict == verdict
    assert (f"hour outside 0 to 23 in {rows} rows, such as 24.0" in evidence.reason) == (rows > 0)
    assert list(evidence.detail["by_column"]) == (["hour"] if verdict == "alarm" else [])


@pytest.mark.parametrize(("before", "now", "verdict"), [(90, 92, "ok"), (90, 100, "alarm"), (100, 100, "ok"), (0, 21, "alarm")])
def test_nulls_jump_also_in_a_column_that_is_mostly_null(before: int, now: int, verdict: str) -> None:
    def nulls(share: int) -> pl.Expr:
        return pl.when(pl.int_range(pl.len()) % 100 < share).then(None).otherwise("load").alias("load")

    made = profile(MODEL, quality_stream(WEEKS).with_columns(nulls(before)))
    assert judge_quality(MODEL, made, quality_stream(1).with_columns(nulls(now))).verdict == verdict


def test_rows_out_of_bounds_are_left_out_one_by_one() -> None:
    frame = pl.DataFrame({"hour": [0.0, 23.0, -0.5, 23.5, 1e9, None], "load": [1e9] * 6})
    assert within(MODEL, frame)["hour"].to_list() == [0.0, 23.0, None]
    assert within(MODEL.model_copy(update={"request": [Number("load")]}), frame).equals(frame)


def test_too_few_requests_are_a_break_whoever_answered_them() -> None:
    made = profile(MODEL, quality_stream(WEEKS))
    verdicts = [
        judge_quality(MODEL, made, quality_stream(1)[:rows], requests=rows if whole else None).verdict
        for rows, whole in [(101, True), (99, True), (99, False), (49, True), (49, False), (0, False)]
    ]
    assert verdicts == ["ok", "alarm", "ok", "alarm", "insufficient", "insufficient"]
    half = quality_stream(1)[:60]
    assert judge_quality(MODEL, made, half, requests=120).verdict == "ok", "a challenger answered the others"
    with pytest.raises(FeatureError, match="'zone'"):
        judge_quality(MODEL, made, quality_stream(1).drop("zone"))


def test_a_part_of_a_window_may_hold_one_value_only() -> None:
    made = profile(MODEL, quality_stream(WEEKS))
    stuck = quality_stream(1)[:100].with_columns(load=pl.lit(0.5))
    verdicts = [judge_quality(MODEL, made, stuck, whole=whole).verdict for whole in (False, True)]
    assert verdicts == ["ok", "alarm"]


def test_too_few_rows_are_too_few_for_the_length_of_their_window() -> None:
    past = profile(MODEL, quality_stream(12))
    assert past.window_seconds == MODEL.drift.window.total_seconds() == WEEK.total_seconds()
    days = quality_stream(1).head(3 * ROWS // 7)
    assert judge_quality(MODEL, past, days, requests=days.height, length=WEEK * 3 / 7).verdict == "ok"
    assert (
        judge_quality(MODEL, past, days, requests=days.height).reason
        == f"{days.height} rows where training windows hold {ROWS}"
    )
    fortnight = MODEL.model_copy(update={"drift": MODEL.drift.model_copy(update={"window": 2 * WEEK})})
    assert judge_quality(fortnight, past, quality_stream(1).head(ROWS - 1), requests=ROWS - 1).verdict == "alarm", (
        "a week's in two"
    )
