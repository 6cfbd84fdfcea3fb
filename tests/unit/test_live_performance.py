"""Lost performance by sequences of daily losses: what they see, what they leave alone, and what is said before labels come."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.declaration.metric_choice import chosen_metric
from everfit.declaration.metrics import Metric
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE
from everfit.declaration.tasks import Floats
from everfit.errors import MetricError
from everfit.evidence.kinds import Performance
from everfit.evidence.loss_estimate import error_on_the_past, estimated_loss
from everfit.evidence.loss_sequences import worst
from everfit.evidence.performance import Expectation
from models.electricity_price import electricity_price

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
HOURS = 24
EXPECTED = Expectation(0.5, [0.48, 0.5, 0.52])


def metric_of(name: Any) -> Metric:
    return chosen_metric(name, electricity_price.task)


def weeks(number: int, mean: float, seed: int = 0, spread: float = 0.05) -> list[Floats]:
    random = np.random.default_rng(seed)
    return [mean + spread * random.standard_normal(7) for _ in range(number)]


def test_a_harm_that_one_window_cannot_show_is_shown_by_several() -> None:
    harmed = weeks(6, 0.54)
    lower = [worst(harmed[:number], 0.04).lower for number in range(1, 7)]
    assert lower[0] < 0.5 < lower[-1]
    assert worst(harmed, 0.04).days > 7


def test_a_harm_after_a_long_good_time_is_not_averaged_away() -> None:
    later = worst(weeks(40, 0.5) + weeks(4, 0.6, seed=1), 0.04)
    assert later.lower > 0.54
    assert later.days < 7 * 8


def test_an_improvement_is_no_harm() -> None:
    assert worst(weeks(20, 0.5) + weeks(10, 0.3, seed=2), 0.04).lower < 0.5


def test_sequences_that_begin_in_a_year_err_within_the_budget() -> None:
    """20 years of weekly windows at the promised loss; four false alarms a year would be allowed."""
    alarms = 0
    for seed in range(20):
        year = weeks(52, 0.0, seed=100 + seed, spread=1.0)
        above = [worst(year[max(0, at - 12) : at + 1], 4 / 52).lower > 0 for at in range(52)]
        alarms += sum(now and not before for before, now in zip([False, *above], above, strict=False))
    assert 0 < alarms <= 4 * 20


class Share:
    """A version's share of a week, as the loop gives it: an answer an hour, and its label where that is known."""

    def __init__(self, week: int, wrong: float, *, labelled: bool = True, delay: timedelta = timedelta()) -> None:
        random = np.random.default_rng(week)
        training = electricity_price.training.model_copy(update={"label_delay": delay})
        drift = electricity_price.drift.model_copy(update={"min_rows": 100})
        self.model = electricity_price.model_copy(update={"training": training, "drift": drift})
        self.span = (START + week * WEEK, START + (week + 1) * WEEK)
        self.complete_at, self.version, self.row_count = self.span[1] + delay, 3, 7 * HOURS
        self.sampling: dict[str, int] = {}
        self.quarantined_rows, self.expectation, self.newest_matured = 0, EXPECTED, self
        scores = random.uniform(0.1, 0.9, self.row_count)
        truth = np.where(random.random(self.row_count) < wrong, random.random(self.row_count), scores)
        labels = pl.Series(LABEL, (random.random(self.row_count) < truth).astype(float))
        times = [self.span[0] + hour * DAY / HOURS for hour in range(self.row_count)]
        known = labels if labelled else pl.Series(LABEL, [None] * self.row_count, dtype=pl.Float64)
        self.rows = pl.DataFrame({EVENT_TIME: times, SCORE: scores}).with_columns(known)
        self.known: list[tuple[datetime, dict[str, Any]]] = []

    def earlier(self, kind: str, newest: int) -> list[tuple[datetime, dict[str, Any]]]:
        assert kind == "performance"
        return self.known[:newest]


def judged(share: Any) -> Any:
    return Performance().judge(share)


def test_each_window_goes_on_from_the_evidence_of_the_earlier_ones() -> None:
    known: list[tuple[datetime, dict[str, Any]]] = []
    verdicts = []
    for week in range(8):
        share = Share(week, wrong=0.0 if week < 3 else 1.0)
        share.known = known
        evidence = judged(share)
        verdicts.append(evidence.verdict)
        known = [(share.span[1], evidence.detail), *known]
    assert verdicts[:3] == ["ok"] * 3
    assert verdicts[-1] == "alarm"
    assert len(known[0][1]["daily"]) == 7
    assert known[0][1]["days"] > 7


def test_before_labels_come_there_is_an_estimate_that_says_so() -> None:
    share = Share(0, wrong=0.0, labelled=False)
    evidence = judged(share)
    told = "0 matured labels; 100 are needed; an estimate without labels, from how sure its 168 answers are: log loss 0."
    assert evidence.verdict == "insufficient"
    assert evidence.reason.startswith(told)
    assert evidence.reason.endswith("how far it is off is not known yet")
    share.known = [
        (START - WEEK, {"estimate": {"until": "2024-01-01T00:00:00Z", "loss": 0.5}, "mean": 0.62, "scored_until": "x"}),
        (START, {"mean": 0.53, "scored_until": "2024-01-01T00:00:00Z"}),
    ]
    assert judged(share).reason.endswith("off by 0.030 in 1 earlier windows")


def test_labels_that_come_late_are_judged_when_they_are_due() -> None:
    share, past = Share(5, wrong=0.0, labelled=False), Share(2, wrong=0.0)
    share.newest_matured = past
    evidence = judged(share)
    assert evidence.verdict == "ok"
    assert evidence.detail["scored_until"] == "2024-01-22T00:00:00Z"
    assert evidence.detail["estimate"]["until"] == "2024-02-12T00:00:00Z"
    assert "an estimate without labels" in evidence.reason
    nobody: Any = None
    share.newest_matured = nobody
    assert judged(share).reason.startswith("version 3 answered nothing of the newest window whose labels are all due")


def test_an_estimate_is_near_what_labels_say_where_answers_are_calibrated() -> None:
    random = np.random.default_rng(0)
    answers = random.uniform(0.05, 0.95, 50_000)
    labels = (random.random(50_000) < answers).astype(float)
    for name in ("log_loss", "brier"):
        metric = metric_of(name)
        assert estimated_loss(metric, electricity_price.task, answers) == pytest.approx(metric.loss(labels, answers), abs=0.01)
    assert estimated_loss(metric_of("auc"), electricity_price.task, answers) is None, "a rank is no mean of rows"
    assert estimated_loss(metric_of("log_loss"), electricity_price.task, answers[:0]) is None
    assert error_on_the_past([]) == (0.0, 0)


def test_a_metric_that_fails_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise MetricError("the metric of the test fails")

    monkeypatch.setattr("everfit.evidence.performance.daily_losses", fails)
    evidence = judged(Share(0, wrong=0.0))
    assert (evidence.verdict, evidence.reason) == ("insufficient", "the metric of the test fails")
