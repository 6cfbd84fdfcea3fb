"""The chart of drift on seeded streams: exact alarm positions, a budget that holds, and what it is told by earlier windows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from everfit import DriftPolicy
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.declaration.views import Features
from everfit.evidence import Evidence
from everfit.evidence.alarm_limit import averages, limit
from everfit.evidence.calibration import Calibration, calibrate, reference_sample
from everfit.evidence.control_chart import Averages, Chart, follow
from everfit.evidence.drift import AVERAGES, averages_before, judge_drift
from everfit.evidence.usual_windows import usual
from everfit.evidence.window_statistics import MOST_PAIRS, Statistic, WindowStatistics, statistics_of

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS, DAYS = 400, 60
CUTOFF = START + DAYS * DAY
COLUMNS: Features = [("a", "number"), ("b", "number"), ("c", "number"), ("zone", "category")]
POLICY = DriftPolicy(window=DAY, min_rows=50, reference=DAYS * DAY)


def days(number: int, seed: int, *, start: datetime = CUTOFF, rhythm: float = 0.0) -> pl.DataFrame:
    """Independent columns; with a rhythm, each day of the week has a mean of its own."""
    random = np.random.default_rng(seed)
    rows = number * ROWS
    times = pl.Series([start + i * DAY / ROWS for i in range(rows)], dtype=pl.Datetime("us", "UTC"))
    week = rhythm * np.sin(2 * np.pi * (np.arange(rows) // ROWS) / 7)
    numbers = {name: random.standard_normal(rows) + week for name in "abc"}
    return pl.DataFrame(
        {EVENT_TIME: times, **numbers, "zone": random.choice(["east", "west", "north"], rows, p=[0.5, 0.3, 0.2])}
    )


def learnt(history: pl.DataFrame, policy: DriftPolicy = POLICY) -> tuple[Calibration, pl.DataFrame]:
    reference = reference_sample(policy, history, COLUMNS, cutoff=CUTOFF)
    return calibrate(policy, history, reference, COLUMNS, cutoff=CUTOFF), reference


@pytest.fixture(scope="module")
def quiet() -> tuple[Calibration, pl.DataFrame]:
    return learnt(days(DAYS, 0, start=START))


def judged(known: tuple[Calibration, pl.DataFrame], later: pl.DataFrame) -> Iterator[Evidence]:
    """Window by window, each told what the one before has left behind."""
    calibration, reference = known
    before = None
    for at in range(0, later.height, ROWS):
        start = CUTOFF + at // ROWS * DAY
        evidence, _ = judge_drift(calibration, reference, later[at : at + ROWS], span=(start, start + DAY), before=before)
        before = averages_before([(start + DAY, msgspec.json.decode(msgspec.json.encode(evidence.detail)))])
        yield evidence


def alarms(known: tuple[Calibration, pl.DataFrame], later: pl.DataFrame) -> list[int]:
    return [at for at, evidence in enumerate(judged(known, later)) if evidence.verdict == "alarm"]


NEW = pl.when(pl.int_range(pl.len()) % 50 == 0).then(pl.lit("south")).otherwise("zone").alias("zone")  # in 2 % of the rows
TIED = (0.8 * pl.col("a") + 0.6 * pl.col("b")).alias("b")


@pytest.mark.parametrize(
    ("change", "first", "told"),
    [
        (pl.col("a"), None, ""),
        (pl.col("a") + 0.15, 3, "mean rank of a"),
        (pl.col("a") * 1.2, 1, "spread of ranks of a"),
        (NEW, 1, "share of rare ones of zone"),
        (TIED, 0, "relation of a and b"),
    ],
    ids=["nothing", "mean", "scale", "new category", "correlation"],
)
def test_a_small_lasting_change_is_seen_and_named(
    quiet: tuple[Calibration, pl.DataFrame], change: pl.Expr, first: int | None, told: str
) -> None:
    later = list(judged(quiet, days(14, 1).with_columns(change)))
    found = [at for at, evidence in enumerate(later) if evidence.verdict == "alarm"]
    assert (found[0] if found else None) == first
    assert all(told in evidence.reason for evidence in later[first:] if first is not None and evidence.verdict == "alarm")
    assert first is None or found == list(range(first, 14)), "a change that lasts keeps its episode open"


def test_what_decides_stands_beside_evidentlys_distance(quiet: tuple[Calibration, pl.DataFrame]) -> None:
    *_, evidence = judged(quiet, days(5, 1).with_columns(pl.col("a") + 0.3, TIED))
    by_column = {(one["column"], one["measure"]): one for one in evidence.detail["columns"]}
    found = by_column["a", "wasserstein"]
    assert (found["drifted"], found["statistic"], found["allowed"]) == (True, "mean rank", evidence.threshold)
    assert found["average"] >= found["allowed"]
    assert found["distance"] == pytest.approx(0.3, abs=0.1)
    assert not by_column["zone", "jensenshannon"]["drifted"]
    assert ["a", "b"] in [one["columns"] for one in evidence.detail["relations"]]
    assert evidence.statistic == max(map(abs, evidence.detail[AVERAGES]))


def test_a_weekly_rhythm_is_learnt_and_a_change_on_it_is_seen() -> None:
    known = learnt(days(DAYS, 0, start=START, rhythm=1.0))
    later = days(21 + DAYS, 2, start=START, rhythm=1.0)[DAYS * ROWS :].with_columns(days(21, 2)[EVENT_TIME])
    assert alarms(known, later) == []
    assert alarms(known, later.with_columns(pl.col("b") + 0.4))[0] <= 1


@pytest.mark.parametrize(("correlation", "rhythm"), [(0.0, 0.0), (0.7, 0.0), (0.0, 2.0)])
def test_false_alarms_keep_to_the_budget(correlation: float, rhythm: float) -> None:
    """80 statistics, 60 days of training time, 10 streams of a year; four alarms a year are allowed."""
    episodes, place = 0, np.arange(60 + 365) % 7
    for seed in range(10):
        random = np.random.default_rng(seed)
        made = random.standard_normal((len(place), 80))
        for at in range(1, len(place)):
            made[at] = correlation * made[at - 1] + np.sqrt(1 - correlation**2) * made[at]
        made = 3 * made + rhythm * np.sin(place)[:, None]
        known = usual(made[:60], place[:60], np.zeros(80, dtype=np.int64))
        found = limit(known, 60, 7, 4 / 365.25)
        above = np.abs(averages(known.standardized(made[60:], place[60:]))).max(axis=1) >= found.threshold
        episodes += int((above[1:] & ~above[:-1]).sum() + above[0])
    assert 0.3 <= episodes / 10 <= 5.7, "within what chance makes of 4 in ten years, or below"


def test_the_budget_moves_the_threshold_and_a_short_history_is_told() -> None:
    history = days(DAYS, 0, start=START)
    charts = []
    for budget in (24.0, 4.0, 0.5):
        chart = learnt(history, POLICY.model_copy(update={"false_alarms_per_year": budget}))[0].chart
        assert chart is not None
        assert chart.a_year <= budget
        charts.append(chart)
    assert [chart.threshold for chart in charts] == sorted(chart.threshold for chart in charts)
    assert not any(chart.warning for chart in charts)
    calibration, reference = learnt(history[-10 * ROWS :])
    evidence, _ = judge_drift(calibration, reference, days(1, 1))
    assert calibration.chart is not None
    worth = f"worth {calibration.chart.worth} independent ones"
    told = f"cannot promise 4 false alarms a year on 10 windows of training time, {worth}: expect up to 8"
    assert evidence.reason.endswith(told)
    few, reference = learnt(history[-3 * ROWS :])
    assert few.chart is None
    assert judge_drift(few, reference, days(1, 1).with_columns(pl.col("a") + 3))[0].verdict == "alarm", "by its distance"


def _chart(**fields: float) -> Chart:
    followed = [{"name": "mean rank", "column": "a", "other": "", "centre": 1.0, "spread": 2.0, "rhythm": []}]
    given = {
        "threshold": 1.8,
        "rows": 400,
        "window_seconds": 86_400.0,
        "windows": 60,
        "worth": 60,
        "budget": 4.0,
        "a_year": 3.0,
    }
    return msgspec.convert({"followed": followed} | given | fields, Chart)


def test_averages_go_on_from_the_window_before_and_fade_over_a_gap() -> None:
    chart = _chart()
    assert follow(chart, np.array([5.0]), CUTOFF, None) == [0.6], "three tenths of (5 - 1) / 2"
    assert follow(chart, np.array([5.0]), CUTOFF, Averages([1.0], CUTOFF)) == [1.3]
    assert follow(chart, np.array([5.0]), CUTOFF, Averages([1.0], CUTOFF - 2 * DAY)) == [0.943]
    assert follow(chart, np.array([1e9]), CUTOFF, None) == [3.6], "one window counts twelve deviations at most"
    assert follow(chart, np.array([np.nan]), CUTOFF, Averages([1.0], CUTOFF)) == [0.7], "what cannot be measured is quiet"
    assert follow(chart, np.array([5.0]), CUTOFF, Averages([1.0, 2.0], CUTOFF)) == [0.6], "the state of another chart is none"


def test_the_newest_evidence_with_averages_is_gone_on_from() -> None:
    found = averages_before([(CUTOFF, {"rows": 3}), (CUTOFF - DAY, {AVERAGES: [0.5]}), (CUTOFF - 2 * DAY, {AVERAGES: [9.0]})])
    assert found == Averages([0.5], CUTOFF - DAY)
    assert averages_before([]) is None


def test_a_wide_window_has_a_bounded_number_of_relations() -> None:
    random = np.random.default_rng(0)
    wide = pl.DataFrame({f"n{at}": random.standard_normal(200) for at in range(60)}).with_columns(twin=pl.col("n7") * 2)
    kept = statistics_of(wide, [(name, "number") for name in wide.columns])
    relations = [statistic for statistic in kept if statistic.other]
    assert len(relations) == MOST_PAIRS
    assert Statistic("relation", "n7", "twin") in relations
    assert np.isfinite(WindowStatistics(wide, kept).of(wide)).all()


def test_statistics_are_in_units_of_their_own_noise() -> None:
    history = days(60, 3, start=START)
    reference = history.sample(5_000, seed=1)
    kept = statistics_of(reference, COLUMNS)
    made = np.vstack([WindowStatistics(reference, kept).of(history[at : at + ROWS]) for at in range(0, history.height, ROWS)])
    noisy = [at for at, statistic in enumerate(kept) if statistic.name not in ("null share", "share of rare ones")]
    assert made[:, noisy].std(axis=0) == pytest.approx(np.ones(len(noisy)), abs=0.3)
    assert np.abs(made[:, noisy].mean(axis=0)).max() < 1, "the reference is a sample itself"
