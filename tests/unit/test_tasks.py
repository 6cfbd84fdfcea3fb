"""One contract for every task, ours and one from outside; then the figures of binary classification, worked out by hand."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from everfit import BinaryClassification, MulticlassClassification, QuantileRegression, Regression, Task
from everfit.errors import FeatureError
from everfit.training.arrays import Arrays
from everfit.training.artifact import open_session, run_session
from everfit.training.onnx_graph import Graph
from tests.tasks import Bounded

Array = Any
RANDOM = np.random.default_rng(0)


@dataclass(frozen=True)
class Case:
    """A task, labels[N] of it, raw values[N] that know something of them, and what is no label and no answer.

    ``right`` are the answers that are the labels themselves.
    """

    task: Task
    labels: Array
    raw: Array
    no_labels: tuple[Any, ...]
    no_answers: tuple[Any, ...]
    right: Array = None

    @property
    def best(self) -> Array:
        """The answers that are the labels."""
        return self.labels if self.right is None else self.right


UP = RANDOM.integers(0, 2, 500).astype(float)
CHANGE = RANDOM.uniform(-1, 1, 500)
COUNT = RANDOM.poisson(3.0, 500).astype(float)
ONE_HOT = np.eye(3)[RANDOM.choice(3, 500, p=[0.6, 0.3, 0.1])]
SKY = np.array(["clear", "rain", "snow"], dtype=object)[ONE_HOT.argmax(axis=1)]
NEVER = (float("nan"), float("inf"), -float("inf"))
CASES = [
    Case(
        BinaryClassification(label="up"),
        UP,
        (2 * UP - 1) + RANDOM.normal(size=500),
        (0.5, 2.0, "1", *NEVER),
        (-0.1, 1.1, *NEVER),
    ),
    Case(Bounded(label="change"), CHANGE, CHANGE + RANDOM.normal(size=500) / 9, (-1.5, 1.5, "1", *NEVER), NEVER),
    Case(
        Regression(label="cars", between=(-1, 1)),
        CHANGE,
        CHANGE + RANDOM.normal(size=500) / 9,
        (-1.5, 1.5, "1", *NEVER),
        NEVER,
    ),
    Case(Regression(label="cars", minimised="absolute_error"), CHANGE, CHANGE + 0.05, ("1", *NEVER), NEVER),
    Case(
        Regression(label="cars", minimised="poisson"),
        COUNT,
        np.log(COUNT + 0.1),
        (-1.0, "1", *NEVER),
        (-1.0, *NEVER),
    ),
    Case(
        QuantileRegression(label="cars", quantiles=(0.1, 0.5, 0.9)),
        CHANGE,
        CHANGE[:, None] + RANDOM.normal(size=(500, 3)) / 9,
        ("1", *NEVER),
        ([0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 1.0, np.nan], [-np.inf, 0.0, 1.0]),
        np.repeat(CHANGE[:, None], 3, axis=1),
    ),
    Case(
        MulticlassClassification(label="sky", classes=("clear", "rain", "snow")),
        SKY,
        2 * ONE_HOT + RANDOM.normal(size=(500, 3)),
        ("hail", "", 1.0),
        ([0.5, 0.5], [0.5, 0.6, 0.5], [-0.5, 1.0, 0.5], [0.0, 1.0, np.nan]),
        ONE_HOT,
    ),
]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{type(case.task).__name__}-{case.task.loss}")


@each
def test_labels_and_answers_out_of_range_are_refused_with_what_they_must_be(case: Case) -> None:
    assert not any(map(case.task.label_fault, case.labels.tolist()))
    assert not any(map(case.task.answer_fault, case.task.answers(case.raw).tolist()))
    assert all(case.task.label_fault(label) for label in case.no_labels)
    assert all(case.task.answer_fault(answer) for answer in case.no_answers)


@each
def test_rows_with_usable_labels_are_those_without_a_fault(case: Case) -> None:
    numbers = [label for label in case.no_labels if isinstance(label, str if case.labels.dtype == object else float)]
    mixed = np.concatenate([case.labels, np.array(numbers, dtype=case.labels.dtype), case.labels[:3]])
    usable = [not case.task.label_fault(label) for label in mixed.tolist()]
    assert case.task.usable(mixed).tolist() == usable
    assert sum(usable) == len(case.labels) + 3


@each
def test_losses_are_finite_and_lowest_where_the_answer_is_the_label(case: Case) -> None:
    before = case.labels.copy()
    losses, best = case.task.losses(case.labels, case.task.answers(case.raw)), case.task.losses(case.labels, case.best)
    assert losses.shape == case.labels.shape
    assert np.isfinite(losses).all()
    assert np.isfinite(case.task.losses(case.labels, case.best[::-1])).all(), "however wrong"
    assert (best <= losses).all()
    assert (case.labels == before).all()


@each
def test_the_baseline_is_the_best_of_constant_answers_and_worse_than_an_answer_that_knows(case: Case) -> None:
    task, baseline = case.task, np.array(case.task.baseline(case.labels))

    def mean_loss(answer: Array) -> float:
        return float(task.losses(case.labels, np.full(case.best.shape, answer)).mean())

    assert not task.answer_fault(baseline.tolist())
    for number in np.ndindex(baseline.shape):
        step = np.zeros_like(baseline)
        step[number] = 0.1
        others = (baseline - step, baseline + step)
        if isinstance(task, MulticlassClassification):  # a constant of probabilities
            others = tuple(np.abs(other) / np.abs(other).sum() for other in others)
        assert all(mean_loss(baseline) <= mean_loss(other) for other in others)
    assert task.losses(case.labels, task.answers(case.raw)).mean() < mean_loss(baseline)
    assert not task.answer_fault(task.baseline(case.labels[:0])), "also of no labels"
    assert task.baseline_name


@each
def test_the_summary_holds_rows_and_the_loss_and_is_refused_of_no_rows(case: Case) -> None:
    answers = case.task.answers(case.raw)
    summary = case.task.summary(case.labels, answers)
    assert summary["rows"] == 500
    assert summary[case.task.loss] == pytest.approx(case.task.losses(case.labels, answers).mean())
    assert np.isfinite(list(summary.values())).all()
    with pytest.raises(ValueError, match="no labelled rows"):
        case.task.summary(case.labels[:0], case.best[:0])


@each
def test_a_curve_of_answers_that_are_the_labels_lies_on_the_diagonal(case: Case) -> None:
    curve = case.task.curve(case.labels, case.best)
    if not isinstance(case.task, QuantileRegression):  # answers that are the label cover it at every quantile
        assert all(answered == pytest.approx(true) for answered, true in curve.points)
    assert all(curve.low <= value <= curve.high for point in curve.points for value in point)
    assert len(curve.points) in {10, len(case.task.score_names)}
    assert case.task.curve(case.labels[:0], case.best[:0]).points == []


@each
def test_targets_are_numbers_and_what_nothing_can_be_learnt_from_is_refused(case: Case) -> None:
    targets = case.task.targets(case.labels)
    assert targets.dtype == np.float64
    assert targets.shape == case.labels.shape
    for wrong in ([], [*case.labels, case.no_labels[0]], [*case.labels, None if case.labels.dtype == object else np.nan]):
        with pytest.raises(FeatureError, match=repr(case.task.label)):
            case.task.targets(np.array(wrong, dtype=object if case.labels.dtype == object else None))


@each
def test_the_head_of_a_graph_answers_as_the_task_does(case: Case) -> None:
    raw = case.raw.reshape(500, -1)
    graph = Graph([(f"raw_{number}", "number") for number in range(raw.shape[1])])
    session = open_session(graph.finish("numbers", case.task))
    (output,) = session.get_outputs()
    assert (output.name, output.shape, output.type) == (case.task.output.name, ["N", *case.task.output.shape], "tensor(double)")
    answers = run_session(session, Arrays(raw, np.empty((500, 0))))
    assert np.abs(answers - case.task.answers(case.raw)).max() < 1e-12


@each
def test_fields_and_watched_columns_hold_the_answers(case: Case) -> None:
    answers = case.task.answers(case.raw)
    fields = case.task.fields(answers[0].tolist())
    if case.task.score_names:
        assert fields == {"score": None, "scores": dict(zip(case.task.score_names, answers[0].tolist(), strict=True))}
    else:
        assert fields == {"score": answers[0]}
    assert all(len(values) == len(answers) for values in case.task.watched(answers).values())
    assert {kind for _, kind in case.task.watched(answers)} <= {"number", "category"}


def test_one_class_alone_is_nothing_to_learn_from() -> None:
    with pytest.raises(FeatureError, match=r"must hold both 0 and 1, and is 1 in all 3 rows .* wait for 0, or learn from"):
        BinaryClassification(label="up").targets(np.ones(3))
    sky = MulticlassClassification("sky", ("rain", "snow"))
    with pytest.raises(FeatureError, match=r"two classes .* 2 rows to learn from hold 'rain'; wait for others, or learn"):
        sky.targets(np.array(["rain", "rain"], dtype=object))


@pytest.mark.parametrize(
    ("task", "label", "told"),
    [
        (BinaryClassification(label="up"), 2.0, "'up' is 2.0 in a row to learn from, no 0 or 1; correct it, or leave"),
        (BinaryClassification(label="up"), math.nan, "'up' is nan in a row to learn from, no 0 or 1"),
        (Regression("cars", between=(0, 100)), 101.0, "'cars' is 101.0 in a row to learn from, no number from 0 to 100"),
        (Regression("cars"), math.inf, r"'cars' is inf in a row to learn from, no number from -1e\+37 to"),
        (QuantileRegression("cars", (0.5,)), math.nan, "'cars' is nan in a row to learn from, no finite number; correct it"),
    ],
)
def test_a_label_that_is_none_is_named_with_the_way_out(task: Task, label: float, told: str) -> None:
    with pytest.raises(FeatureError, match=told):
        task.targets(np.array([0.0, 1.0, label]))


def test_the_losses_of_several_numbers_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(5)
    classes = MulticlassClassification("sky", ("snow", "clear", "rain"))
    labels = random.choice(np.array(classes.classes, dtype=object), 50)
    shares = random.dirichlet(np.ones(3), 50)
    alphabetical = shares[:, np.argsort(classes.classes)]
    assert classes.losses(labels, shares).mean() == pytest.approx(metrics.log_loss(labels.astype(str), alphabetical))
    brier = metrics.brier_score_loss(labels.astype(str), alphabetical, scale_by_half=False)
    assert classes.summary(labels, shares)["brier"] == pytest.approx(brier)
    quantiles = QuantileRegression("cars", (0.1, 0.5, 0.9))
    cars, answers = random.normal(size=50), np.sort(random.normal(size=(50, 3)), axis=1)
    each = [metrics.mean_pinball_loss(cars, answers[:, at], alpha=level) for at, level in enumerate(quantiles.quantiles)]
    assert quantiles.losses(cars, answers).mean() == pytest.approx(np.mean(each))


def test_a_task_that_lacks_a_part_cannot_be_made() -> None:
    class Partial(Task):
        """Says nothing of labels and answers."""

    with pytest.raises(TypeError, match=r"answer_fault.*label_fault.*loss"):
        Partial(label="up")  # type: ignore[abstract]
