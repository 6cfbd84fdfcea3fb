"""What drift and performance say of bad input: a defined verdict in words each, and no exception that stops a window."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import DriftPolicy
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.declaration.views import Features
from everfit.errors import FeatureError
from everfit.evidence import Evidence
from everfit.evidence.calibration import Calibration, calibrate, reference_sample
from everfit.evidence.drift import judge_drift
from everfit.evidence.performance import Expectation, judge_performance
from models.electricity_price import electricity_price

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS, DAYS = 300, 14
CUTOFF = START + DAYS * DAY
COLUMNS: Features = [("load", "number"), ("zone", "category"), ("late", "flag")]
POLICY = DriftPolicy(window=DAY, min_rows=50, reference=DAYS * DAY)
Known = tuple[Calibration, pl.DataFrame]


def rows(days: int, *, seed: int = 0, start: datetime = START) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    number = days * ROWS
    times = pl.Series([start + at * DAY / ROWS for at in range(number)], dtype=pl.Datetime("us", "UTC"))
    columns = {
        "load": random.standard_normal(number),
        "zone": random.choice(["a", "b"], number),
        "late": random.random(number) < 0.5,
    }
    return pl.DataFrame({EVENT_TIME: times} | columns)


def learnt(history: pl.DataFrame, policy: DriftPolicy = POLICY) -> Known:
    reference = reference_sample(policy, history, COLUMNS, cutoff=CUTOFF)
    return calibrate(policy, history, reference, COLUMNS, cutoff=CUTOFF), reference


@pytest.fixture(scope="module")
def known() -> Known:
    return learnt(rows(DAYS))


def judged(known: Known, window: pl.DataFrame) -> Evidence:
    calibration, reference = known
    return judge_drift(calibration, reference, window, span=(CUTOFF, CUTOFF + DAY), html=True)[0]


IDENTIFIERS = pl.int_range(pl.len()).cast(pl.String)
INFINITE = pl.when(pl.int_range(pl.len()) % 2 == 0).then(float("inf")).otherwise(float("-inf")).alias("load")
NULL = pl.lit(None, dtype=pl.Float64).alias("load")


@pytest.mark.parametrize(
    ("change", "verdict", "told"),
    [
        ([], "ok", "no column drifted"),
        ([pl.lit(0.1).alias("load")], "alarm", "spread of ranks of load"),
        ([NULL], "alarm", "1 column drifted: null share of load"),
        ([INFINITE], "alarm", "1 column drifted: null share of load"),
        ([IDENTIFIERS.alias("zone")], "alarm", "share of rare ones of zone"),
        ([pl.lit(None, dtype=pl.String).alias("zone"), pl.lit(None, dtype=pl.Boolean).alias("late")], "alarm", "2 columns"),
        ([pl.lit(1.0).alias("new")], "ok", "no column drifted"),
    ],
    ids=["nothing", "constant", "all null", "infinite", "a category of as many values as rows", "two null", "a new column"],
)
def test_a_bad_column_of_the_window(known: Known, change: list[pl.Expr], verdict: str, told: str) -> None:
    evidence = judged(known, rows(1, seed=1, start=CUTOFF).with_columns(change))
    assert evidence.verdict == verdict
    assert told in evidence.reason


@pytest.mark.parametrize(
    "change",
    [pl.lit(0.1).alias("load"), NULL, INFINITE, (IDENTIFIERS + "x").alias("zone"), pl.lit("a").alias("zone")],
    ids=["constant", "all null", "infinite", "10,000 categories", "one category"],
)
def test_a_bad_column_of_training_time_hides_no_other(change: pl.Expr) -> None:
    known = learnt(pl.concat([rows(DAYS)]).with_columns(change))
    window = rows(1, seed=1, start=CUTOFF).with_columns(change)
    assert judged(known, window).verdict == "ok"
    moved = judged(known, window.with_columns(pl.lit(value=True).alias("late")))
    assert moved.verdict == "alarm"
    assert "late" in moved.reason


@pytest.mark.parametrize(("number", "told"), [(0, "0 rows in the window; 50 are needed"), (1, "1 rows in the window")])
def test_too_few_rows(known: Known, number: int, told: str) -> None:
    evidence = judged(known, rows(1, start=CUTOFF).head(number))
    assert evidence.verdict == "insufficient"
    assert told in evidence.reason


def test_a_column_that_is_gone_is_named(known: Known) -> None:
    with pytest.raises(FeatureError, match="no column 'zone' in the window; it has"):
        judged(known, rows(1, start=CUTOFF).drop("zone"))


def test_a_window_larger_than_its_reference_and_than_training_time_s() -> None:
    known = learnt(rows(DAYS).gather_every(3), POLICY.model_copy(update={"sample_rows": 50}))
    large = pl.concat([rows(1, seed=seed, start=CUTOFF) for seed in range(20)]).sort(EVENT_TIME)
    assert judged(known, large).verdict == "ok", "as many rows are looked at as in training time"
    assert judged(known, large.with_columns(pl.col("load") + 1)).verdict == "alarm"


def test_a_window_smaller_than_training_time_s_is_no_drift(known: Known) -> None:
    verdicts = [judged(known, rows(1, seed=seed, start=CUTOFF).head(60)).verdict for seed in range(10)]
    assert verdicts == ["ok"] * 10


def test_another_length_of_windows_since_the_training_is_told(known: Known) -> None:
    calibration, reference = known
    evidence, _ = judge_drift(calibration, reference, rows(1, seed=1, start=CUTOFF), span=(CUTOFF, CUTOFF + 7 * DAY))
    assert "learnt from windows of 1d, this one is of 7d: the budget is not promised until the next training" in evidence.reason


Given = dict[str, Any]
METRIC = electricity_price.metric
LABELS, SCORES, EACH = np.tile([1.0, 0.0], 350), np.tile([0.7, 0.3], 350), np.repeat(np.arange(7), 100)


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 matured labels; 200 are needed"), (199, "199 matured labels"), (300, "matured labels of 3 days so far; 4 are")],
)
def test_too_few_labels_are_no_evidence(number: int, told: str) -> None:
    given = EACH[:number], LABELS[:number], SCORES[:number]
    evidence = judge_performance(METRIC, *given, expected=Expectation(0.3), min_rows=200)
    assert evidence.verdict == "insufficient"
    assert told in evidence.reason


def test_labels_of_one_outcome_alone_and_constant_answers_are_judged() -> None:
    ones = judge_performance(METRIC, EACH, np.ones(700), np.full(700, 0.5), expected=Expectation(0.3), min_rows=200)
    assert (ones.verdict, ones.detail["mean"]) == ("alarm", pytest.approx(np.log(2)))
    good = judge_performance(METRIC, EACH, np.ones(700), np.full(700, 0.9), expected=Expectation(0.3), min_rows=200)
    assert good.verdict == "ok"
