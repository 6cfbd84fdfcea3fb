"""Each metric against scikit-learn's; what is no metric; the gate and performance by each."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as sk

from everfit import AUC, AveragePrecision, BinaryClassification, CostMatrix, Gate, Metric, Model, Question
from everfit.declaration.metric_choice import chosen_metric
from everfit.declaration.metrics import FunctionMetric, OwnLoss, RankMetric, RowMetric
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, LABEL
from everfit.errors import DeclarationError, MetricError
from everfit.evaluation.comparison import compare
from everfit.evaluation.figures import baseline_rule
from everfit.evaluation.gate import Allowance, Speed, check_candidate
from everfit.evaluation.intervals import daily_losses, mean_of_days
from everfit.evaluation.rules import Rule
from everfit.evaluation.slices import slices
from everfit.evidence.performance import Expectation, judge_performance
from everfit.pipeline.code_versions import stage_version
from everfit.pipeline.expectation import metric_key, window_losses
from everfit.store import requests
from models.electricity_price import electricity_price
from tests.tasks import Bounded

RANDOM = np.random.default_rng(0)
UP, CHANGE = BinaryClassification(label="up"), Bounded(label="change")
LABELS = RANDOM.integers(0, 2, 560).astype(float)
SCORES = np.clip(np.round(0.3 * LABELS + RANDOM.uniform(0, 0.7, 560), 2), 0.01, 0.99)  # with ties
COUNTS = RANDOM.integers(1, 20, 560).astype(float)
MEANS = COUNTS + RANDOM.uniform(-0.9, 0.9, 560)
DAYS = np.repeat(np.arange(28), 20)
COSTS = {0: {0: 0, 1: 1}, 1: {0: 5, 1: 0}}


def dear(labels: Any, answers: Any) -> Any:
    return 3 * (answers - labels) ** 2


def changed(**fields: Any) -> Model:
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields if name != "declared_metric"}
    return Model(**declared | fields)


def metric_of(given: Any, task: Any = UP) -> Metric:
    return chosen_metric(given, task)


@pytest.mark.parametrize(
    ("name", "task", "labels", "answers", "loss"),
    [
        ("log_loss", UP, LABELS, SCORES, sk.log_loss(LABELS, SCORES)),
        ("brier", UP, LABELS, SCORES, sk.brier_score_loss(LABELS, SCORES)),
        ("auc", UP, LABELS, SCORES, 1 - sk.roc_auc_score(LABELS, SCORES)),
        ("average_precision", UP, LABELS, SCORES, 1 - sk.average_precision_score(LABELS, SCORES)),
        ("squared_error", CHANGE, COUNTS, MEANS, sk.mean_squared_error(COUNTS, MEANS)),
        ("absolute_error", CHANGE, COUNTS, MEANS, sk.mean_absolute_error(COUNTS, MEANS)),
        ("poisson_deviance", CHANGE, COUNTS, MEANS, sk.mean_poisson_deviance(COUNTS, MEANS)),
    ],
)
def test_a_metric_is_scikit_learns(name: str, task: Any, labels: Any, answers: Any, loss: float) -> None:
    metric = metric_of(name, task)
    assert metric.loss(labels, answers) == pytest.approx(loss, rel=1e-12)
    if isinstance(metric, RowMetric):
        assert metric.losses(labels, answers).shape == (560,)
    assert math.isnan(metric.loss(labels[:0], answers[:0]))


def test_the_deviance_is_finite_of_no_events_and_of_answers_that_no_mean_can_be() -> None:
    metric = metric_of("poisson_deviance", CHANGE)
    assert isinstance(metric, RowMetric)
    losses = metric.losses(np.array([0.0, 3.0, 0.0]), np.array([0.5, -1.0, 0.0]))
    assert losses.tolist() == pytest.approx([1.0, 2 * (3 * math.log(3e9) - 3), 2e-9], abs=1e-6)


def test_a_cost_is_that_of_the_decision_whose_expected_cost_is_lowest() -> None:
    metric = metric_of(CostMatrix(COSTS))
    assert isinstance(metric, RowMetric)
    answers = np.array([0.1, 0.2, 0.1, 0.2])  # a miss costs five times a false alarm: the border is 1/6
    assert metric.losses(np.array([0.0, 0.0, 1.0, 1.0]), answers).tolist() == [0, 1, 5, 0]


class Kinds(Bounded):
    """Stands for a task of several classes, whose answers are probabilities in their order."""

    classes: tuple[str, ...] = ("rain", "snow", "sun")


def test_brier_and_cost_of_several_classes() -> None:
    labels = np.array(["snow", "sun"], dtype=object)
    answers = np.array([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    brier = metric_of("brier", Kinds(label="kind"))
    assert brier.loss(labels, answers) == pytest.approx((0.2**2 + 0.5**2 + 0.3**2 + 0.1**2 + 0.2**2 + 0.3**2) / 2)
    costs = {"rain": {"stay": 0, "go": 3}, "snow": {"stay": 0, "go": 9}, "sun": {"stay": 2, "go": 0}}
    metric = metric_of(CostMatrix(costs), Kinds(label="kind"))
    assert metric.loss(labels, answers) == pytest.approx(1.0), "staying in is cheaper by the answers, and costs 2 in the sun"


@pytest.mark.parametrize(
    ("given", "task", "told"),
    [
        ("accuracy", UP, "there is no metric 'accuracy'; BinaryClassification has log_loss, brier, auc, average_precision, or"),
        (
            "squared_error",
            UP,
            "'squared_error' needs a task of one number, such as Regression; BinaryClassification has log_loss",
        ),
        ("auc", CHANGE, "'auc' needs a binary classification; Bounded has squared_error, absolute_error, poisson_deviance, or"),
        ("brier", CHANGE, "'brier' needs a classification"),
        (CostMatrix({0: {0: 0, 1: 1}, 2: {0: 1, 1: 0}}), UP, "'cost' needs a classification of 0.0, 2.0"),
        (AUC, UP, "AUC is no metric; BinaryClassification has"),
        (7, UP, "7 is no metric"),
        (lambda labels, answers: answers, UP, "the metric has the name of its function, '<lambda>'"),
        (lambda labels: labels, UP, r"cannot be called as losses(labels, answers): too many positional arguments"),
        (OwnLoss.of(CHANGE), UP, "needs the task Bounded"),
    ],
)
def test_what_is_no_metric_of_the_task_is_refused_with_those_that_are(given: Any, task: Any, told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        changed(task=task, metric=given)
    assert told in str(refused.value)


@pytest.mark.parametrize("costs", [{}, {0: {0: 0, 1: 1}}, {0: {0: 0}, 1: {0: 1}}, {0: {0: 0, 1: 1}, 1: {0: 1}}])
def test_costs_that_are_no_matrix_are_refused(costs: Any) -> None:
    with pytest.raises(DeclarationError, match="is no matrix"):
        CostMatrix(costs)
    with pytest.raises(DeclarationError, match="cost inf; costs are finite"):
        CostMatrix({0: {0: 0, 1: math.inf}, 1: {0: 1, 1: 0}})


def brier(labels: Any, answers: Any) -> Any:
    return (answers - labels) ** 2


def test_a_function_called_as_a_metric_of_ours_is_refused() -> None:
    with pytest.raises(DeclarationError, match="the function is called 'brier', as a metric of everfit's"):
        changed(metric=brier)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda labels, _: 1 / 0, "fails by ZeroDivisionError: division by zero; repair it"),
        (lambda labels, _: ["much"] * len(labels), "fails by ValueError: could not convert string to float"),
        (lambda labels, _: labels.mean(), r"gives the shape (); give a loss a row, shape (560,)"),
        (lambda labels, _: labels[:, None], r"gives the shape (560, 1)"),
        (lambda labels, answers: np.where(answers > 0.5, np.nan, 0), "gives nan for the label 1.0 and the answer"),
    ],
)
def test_a_function_that_gives_no_losses_is_told(answer: Any, told: str) -> None:
    answer.__name__ = "own"
    with pytest.raises(MetricError) as raised:
        FunctionMetric(name="own", function=answer).losses(LABELS, SCORES)
    assert str(raised.value).startswith("metric own: own(labels, answers) ")
    assert told in str(raised.value)


def test_a_function_alters_no_rows() -> None:
    def own(labels: Any, answers: Any) -> Any:
        answers -= labels
        return answers**2

    before = SCORES.copy()
    assert FunctionMetric(name="own", function=own).loss(LABELS, SCORES) == pytest.approx(((SCORES - LABELS) ** 2).mean())
    assert (before == SCORES).all()


STRICT = Gate(by_cause={"drift": Question(prove="better")})
ALL = ["log_loss", "brier", "auc", "average_precision", CostMatrix(COSTS), dear]


@pytest.mark.parametrize("given", ALL, ids=lambda given: getattr(given, "__name__", str(given)))
def test_the_gate_passes_what_is_better_by_each_metric_and_nothing_else(given: Any) -> None:
    metric = metric_of(given)
    poor = np.clip(0.8 * RANDOM.permutation(SCORES) + 0.2 * SCORES, 0.01, 0.99)

    def rule(champion: Any, candidate: Any, cause: str = "drift") -> Rule:
        comparison = compare(metric, DAYS, LABELS, champion, candidate)
        assert comparison.difference.mean == pytest.approx(metric.loss(LABELS, candidate) - metric.loss(LABELS, champion))
        spread = mean_of_days(daily_losses(metric, DAYS, LABELS, champion)).weekly_spread
        loss = metric.loss(LABELS, champion)
        limits = Allowance.of(STRICT, metric, cause, spread=spread, champion_loss=loss, level=0.05)
        return check_candidate(STRICT, metric, limits, comparison, Speed(1.0))[0]

    better, worse, same = rule(poor, SCORES), rule(SCORES, poor, "freshness"), rule(SCORES, SCORES)
    assert (better.passed, worse.passed, same.passed) == (True, False, False)
    sign = "+" if metric.higher_is_better else "-"
    assert better.words.startswith(f"better: {metric.title} {sign}0.") or given is dear
    side = "its lower bound must be above -" if metric.higher_is_better else "its upper bound must be below +"
    assert side in worse.words
    assert rule(SCORES, SCORES, "freshness").passed, "as much may be lost as the margin"


@pytest.mark.parametrize("given", ALL, ids=lambda given: getattr(given, "__name__", str(given)))
def test_a_first_candidate_must_beat_the_baseline_by_each_metric(given: Any) -> None:
    metric = metric_of(given)
    baseline = metric.loss(LABELS, np.full(560, UP.baseline(LABELS)))
    own = metric.loss(LABELS, SCORES)
    passed, refused = (baseline_rule(metric, UP.baseline_name, loss, baseline, first=True) for loss in (own, baseline))
    assert (passed.passed, refused.passed) == (True, False)
    assert refused.words.endswith(f"a first champion must be {'above' if metric.higher_is_better else 'below'} it")
    if isinstance(metric, AUC):
        assert passed.words.startswith(f"first champion: AUC {sk.roc_auc_score(LABELS, SCORES):.4f} against 0.5000 of always")


def test_margins_of_slices_are_of_log_loss_and_relative_of_any_other_metric() -> None:
    def lost(gate: Gate, metric: str, loss: float) -> float:
        return Allowance.of(gate, metric_of(metric), "drift", spread=0.0, champion_loss=loss, level=0.05).slice

    assert lost(Gate(), "log_loss", 0.3) == 0.1
    assert lost(Gate(), "brier", 0.25) / 0.25 == pytest.approx(0.1 / math.log(2))
    assert lost(Gate(slice_margin=2), "brier", 0.25) == 2


@pytest.mark.parametrize("metric", [AUC(), AveragePrecision()], ids=str)
def test_the_interval_of_a_rank_is_about_that_of_days_drawn_as_a_whole(metric: RankMetric) -> None:
    found = mean_of_days(daily_losses(metric, DAYS, LABELS, SCORES))
    random, by_hand = np.random.default_rng(4), []
    for drawn in random.integers(28, size=(500, 28)):
        rows = np.concatenate([np.flatnonzero(np.equal(DAYS, day)) for day in drawn])
        by_hand.append(metric.loss(LABELS[rows], SCORES[rows]))
    assert found.mean == pytest.approx(metric.loss(LABELS, SCORES))
    assert found.error == pytest.approx(np.std(by_hand), rel=0.25)


def test_a_rank_of_one_outcome_alone_is_not_defined_and_says_so() -> None:
    ones, metric = np.ones(560), metric_of("auc")
    assert math.isnan(metric.loss(ones, SCORES))
    found = judge_performance(metric, DAYS, ones, SCORES, expected=Expectation(0.2), min_rows=200)
    assert (found.verdict, found.reason) == (
        "insufficient",
        "AUC has no interval on these 560 labels: too few days hold both outcomes",
    )
    one_day = np.where(DAYS == 0, LABELS, 1.0)  # without that day there is no rank
    assert mean_of_days(daily_losses(metric, DAYS, one_day, SCORES)).error == math.inf
    compared_on = metric, DAYS, LABELS, SCORES, SCORES
    assert [*slices("label", LABELS, *compared_on)] == [], "a slice of one outcome is not judged"
    assert [part.rows for part in slices("day", DAYS % 2, *compared_on)] == [280, 280]


@pytest.mark.parametrize("given", ALL, ids=lambda given: getattr(given, "__name__", str(given)))
def test_performance_is_judged_by_each_metric_in_its_own_direction(given: Any) -> None:
    metric = metric_of(given)
    weeks = [np.arange(140) + start for start in range(0, 560, 140)]
    expected = Expectation(metric.loss(LABELS, SCORES), [metric.loss(LABELS[week], SCORES[week]) for week in weeks])
    good, bad = (
        judge_performance(metric, DAYS, LABELS, answers, expected=expected, min_rows=200) for answers in (SCORES, 1 - SCORES)
    )
    assert (good.verdict, bad.verdict) == ("ok", "alarm")
    assert f"the backtest promised {metric.shown(expected.loss):.3f}, " in bad.reason
    assert f" {'less' if metric.higher_is_better else 'more'} are tolerated: its 4 windows vary by " in bad.reason


def test_the_tolerance_is_what_the_promise_itself_may_be_off_by() -> None:
    tolerance, because = Expectation(0.5, [0.45, 0.5, 0.55]).tolerance(metric_of("log_loss"))
    assert tolerance == pytest.approx(2.919986 * 0.05 / math.sqrt(3))
    assert Expectation(0.5, [0.1, 0.5, 0.9]).tolerance(metric_of("log_loss"))[0] == pytest.approx(0.3)
    assert Expectation(0.5, [0.5, 0.5, 0.5]).tolerance(metric_of("log_loss"))[0] == pytest.approx(0.05)
    assert because == "its 3 windows vary by 0.050"
    few = Expectation(0.25, [0.2, 0.3])
    assert few.tolerance(metric_of("log_loss")) == (0.1, "its 2 whole windows are too few to tell how much they vary")
    assert few.tolerance(metric_of("brier"))[0] == pytest.approx(0.25 * 0.1 / math.log(2))


def test_the_windows_of_a_backtest_are_its_whole_ones() -> None:
    start = datetime(1996, 9, 4, tzinfo=UTC)
    times = [start + timedelta(hours=6 * hour) for hour in range(4 * 17)]
    rows = pl.DataFrame({EVENT_TIME: times, LABEL: [1.0] * 68, CANDIDATE: [0.5] * 28 + [0.25] * 28 + [0.9] * 12})
    assert window_losses(electricity_price, rows) == pytest.approx([math.log(2), math.log(4)])
    assert window_losses(changed(metric="auc"), rows) == []
    assert window_losses(electricity_price, rows.clear()) == []


def test_a_metric_names_requests_and_versions_only_where_one_is_declared() -> None:
    def request(model: Model) -> str:
        return requests.new(model, "drift", "", champion=1, cutoff=electricity_price.go_live).id

    other = changed(metric="brier")
    assert request(changed()) == request(electricity_price) != request(other)
    assert stage_version(other, "evaluation") != stage_version(electricity_price, "evaluation")
    assert stage_version(other, "training_set") == stage_version(electricity_price, "training_set")
    keys = [metric_key(metric_of(given)) for given in (*ALL, CostMatrix({0: {0: 0, 1: 1}, 1: {0: 6, 1: 0}}))]
    assert keys[0] == ""
    assert len(set(keys)) == len(keys)


def test_a_metric_chooses_the_loss_that_recipes_minimise() -> None:
    class Count(Bounded):
        """A task with several losses."""

        chosen: str = "squared_error"

        def minimising(self, loss: str) -> Any:
            return self.model_copy(update={"chosen": loss})

    for given, loss in (
        ("poisson_deviance", "poisson"),
        ("absolute_error", "absolute_error"),
        ("squared_error", "squared_error"),
    ):
        task = changed(task=Count(label="count"), metric=given).task
        assert isinstance(task, Count)
        assert task.chosen == loss
