"""``Gate(require={…})``, the calibration that is told, and the baseline that no champion may be worse than."""

import math
from typing import Any

import numpy as np
import pytest

from everfit import BinaryClassification, Gate, MulticlassClassification, QuantileRegression, Regression, Task
from everfit.declaration.metrics import OwnLoss
from everfit.declaration.required_figures import require_fault
from everfit.errors import DeclarationError, MetricError
from everfit.evaluation.figures import baseline_rule, figure_rules
from models.electricity_price import electricity_price

UP = BinaryClassification(label="up")
LABELS = np.array([0.0, 0.0, 1.0, 1.0] * 25)
GOOD, POOR = np.where(LABELS == 1, 0.8, 0.3), np.where(np.arange(100) % 3 == 0, 0.6, 0.4)


def rules(require: dict[str, float], answers: Any, labels: Any = LABELS) -> dict[str, tuple[bool | None, str]]:
    model = electricity_price.model_copy(update={"task": UP, "gate": Gate(require=require)})
    return {rule.name: (rule.passed, rule.words) for rule in figure_rules(model, labels, answers)}


def test_a_required_figure_holds_on_the_side_that_is_good_of_its_metric() -> None:
    require = {"auc": 0.7, "brier": 0.1, "calibration_error": 0.3}
    good, poor = rules(require, GOOD), rules(require, POOR)
    assert good["required auc"] == (True, "auc 1.0000, required at least 0.7")
    assert good["required brier"] == (True, "brier 0.0650, required at most 0.1")
    assert good["required calibration_error"][0] is True
    assert poor["required auc"][0] is False
    assert poor["required brier"][0] is False


def test_a_limit_itself_is_reached() -> None:
    assert rules({"auc": 1.0}, GOOD)["required auc"][0] is True
    assert rules({"brier": 0.065}, GOOD)["required brier"][0] is True


def test_a_figure_without_a_value_is_neither_reached_nor_missed() -> None:
    passed, words = rules({"auc": 0.7}, GOOD[:3], np.ones(3))["required auc"]
    assert passed is None
    assert words == "auc has no value on these rows, such as an AUC of one outcome alone; required at least 0.7"


@pytest.mark.parametrize(
    ("task", "known"),
    [
        (UP, "log_loss, brier, squared_error, absolute_error, poisson_deviance, auc, average_precision, calibration_error"),
        (MulticlassClassification("sky", classes=("rain", "sun")), "log_loss, brier, accuracy, calibration_error"),
        (Regression("y"), "squared_error, absolute_error, poisson_deviance, root_squared_error"),
        (QuantileRegression("y", (0.1, 0.9)), "pinball, calibration_error, mean_width"),
    ],
)
def test_every_figure_that_is_offered_is_known_and_any_other_is_refused_with_them(task: Task, known: str) -> None:
    fault = require_fault({"accurracy": 0.7}, task, OwnLoss.of(task))
    assert fault.startswith("there is no figure 'accurracy'; ")
    assert set(fault.partition(" has ")[2].split(", ")) <= set(known.split(", "))
    assert not require_fault(dict.fromkeys(fault.partition(" has ")[2].split(", "), 0.0), task, OwnLoss.of(task))


def test_an_unknown_figure_and_a_limit_that_is_no_number_are_refused_at_declaration() -> None:
    fields = {name: getattr(electricity_price, name) for name in type(electricity_price).model_fields}
    with pytest.raises(DeclarationError, match=r"gate.require: there is no figure 'f1'; BinaryClassification has log_loss, "):
        type(electricity_price)(**fields | {"gate": Gate(require={"f1": 0.5})})
    with pytest.raises(DeclarationError, match=r"Gate: require.auc: Input should be a finite number"):
        Gate(require={"auc": math.nan})


def test_accuracy_and_width_have_their_side() -> None:
    sky = MulticlassClassification("sky", classes=("rain", "sun"))
    labels, answers = np.array(["rain", "sun"] * 20), np.array([[0.9, 0.1], [0.2, 0.8]] * 20)
    model = electricity_price.model_copy(update={"task": sky, "gate": Gate(require={"accuracy": 0.99})})
    required, calibration = figure_rules(model, labels, answers)
    assert (required.passed, required.figure) == (True, 1.0)
    assert calibration.name == "calibration"
    assert calibration.figure == pytest.approx(0.15)


class Broken(BinaryClassification):
    """A task whose figures cannot be taken."""

    def summary(self, labels: Any, answers: Any) -> dict[str, float]:
        raise ZeroDivisionError("no positive")


def test_a_task_whose_summary_fails_is_told_and_crashes_nothing() -> None:
    model = electricity_price.model_copy(update={"task": Broken(label="up")})
    with pytest.raises(
        MetricError, match=r"Broken.summary fails by ZeroDivisionError: no positive on 100 rows; repair the task"
    ):
        figure_rules(model, LABELS, GOOD)


def test_calibration_is_told_of_probabilities_and_of_quantiles_without_a_limit() -> None:
    passed, words = rules({}, np.full(100, 0.7))["calibration"]
    assert passed is True
    assert words.startswith("calibration error 0.2000: ")
    quantiles = QuantileRegression("y", (0.1, 0.9))
    labels = np.arange(100.0)
    found = quantiles.summary(labels, np.column_stack([np.full(100, 9.0), np.full(100, 69.0)]))
    assert found["calibration_error"] == pytest.approx((0 + 0.2) / 2)
    assert "calibration_error" not in Regression("y").summary(labels, labels)


@pytest.mark.parametrize(("loss", "first", "later"), [(0.68, True, True), (0.69, False, True), (0.7, False, False)])
def test_no_champion_is_worse_than_always_answering_the_baseline(loss: float, first: bool, later: bool) -> None:
    metric = OwnLoss.of(UP)
    found = [baseline_rule(metric, "share of positives", loss, 0.69, first=each) for each in (True, False)]
    assert [rule.passed for rule in found] == [first, later]
    assert later or found[1].words == (
        "knows nothing: log loss 0.7000 against 0.6900 of always answering the share of positives; no champion may be above it"
    )
