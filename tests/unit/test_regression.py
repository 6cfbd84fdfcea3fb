"""Regression: a number of any unit is checked, learnt by every ready recipe, exported, and judged by the declared metric."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mean_absolute_error, mean_poisson_deviance, mean_squared_error

from everfit import GradientBoosting, Recipe, Regression, TorchMLP
from everfit.declaration.reserved_columns import LABEL
from everfit.declaration.views import Kind
from everfit.errors import DeclarationError, FeatureError, NotServableError
from everfit.training.artifact import Scorer, Signature
from everfit.training.parity import check_parity
from everfit.training.recipe_fit import fit_recipe
from tests.events import MODEL

RANDOM = np.random.default_rng(0)
FEATURES: list[tuple[str, Kind]] = [("number", "number"), ("group", "category")]
SIGNATURE = Signature(model="vehicles", features=FEATURES, schema="0")
RECIPES: list[Recipe] = [GradientBoosting(trees=40), TorchMLP(hidden=(16,), batch_rows=32, epochs=30, learning_rate=0.01)]
LABELS = np.array([0.0, 3.0, 7.0, 2.0])
ANSWERS = np.array([1.0, 3.5, 4.0, 2.0])


def rows(scale: float = 1_000.0) -> pl.DataFrame:
    number = RANDOM.normal(0, 1, 400)
    group = RANDOM.choice(["a", "b"], 400)
    labels = scale * np.exp(0.3 * number + (group == "a"))
    return pl.DataFrame({"number": number, "group": group, LABEL: labels})


@pytest.mark.parametrize(
    ("minimised", "expected"),
    [("squared_error", mean_squared_error), ("absolute_error", mean_absolute_error), ("poisson", mean_poisson_deviance)],
)
def test_its_losses_are_those_of_scikit_learn(minimised: str, expected: Any) -> None:
    task = Regression("vehicles").minimising(minimised)
    assert task.loss == minimised
    assert task.losses(LABELS, ANSWERS).mean() == pytest.approx(expected(LABELS, ANSWERS))
    best = task.losses(LABELS, np.full(4, task.baseline(LABELS))).mean()
    assert all(best <= task.losses(LABELS, np.full(4, other)).mean() + 1e-12 for other in (1.0, 2.2, 2.6, 3.2, 4.0))


def test_figures_of_a_backtest_are_in_the_unit_of_the_label() -> None:
    figures = Regression("vehicles").summary(LABELS, ANSWERS)
    assert figures["rows"] == 4
    assert figures["mean_label"] == 3.0
    assert figures["absolute_error"] == pytest.approx(4.5 / 4)
    assert figures["root_squared_error"] == pytest.approx(math.sqrt(10.25 / 4))
    assert figures["bias"] == pytest.approx(-1.5 / 4)


@pytest.mark.parametrize(
    ("task", "label", "fault"),
    [
        (Regression("vehicles", between=(0, 20_000)), 20_001.0, "number from 0 to 20000"),
        (Regression("vehicles", between=(0, 20_000)), -1.0, "number from 0 to 20000"),
        (Regression("vehicles", between=(0, 20_000)), 20_000.0, ""),
        (Regression("vehicles"), float("nan"), "number from -1e+37 to 1e+37"),
        (Regression("vehicles"), float("inf"), "number from -1e+37 to 1e+37"),
        (Regression("vehicles"), "many", "number from -1e+37 to 1e+37"),
        (Regression("vehicles"), -5.0, ""),
        (Regression("vehicles").minimising("poisson"), -1.0, "number from 0 to 1e+37"),
    ],
)
def test_a_label_that_cannot_be_is_described(task: Regression, label: Any, fault: str) -> None:
    assert task.label_fault(label) == fault


@pytest.mark.parametrize(
    ("minimised", "answer", "fault"),
    [
        ("squared_error", math.nan, "finite number"),
        ("squared_error", -math.inf, "finite number"),
        ("squared_error", -3.0, ""),
        ("poisson", -0.1, "number from 0 on"),
    ],
)
def test_an_answer_that_cannot_be_is_described(minimised: str, answer: float, fault: str) -> None:
    assert Regression("vehicles").minimising(minimised).answer_fault(answer) == fault


@pytest.mark.parametrize("between", [(5.0, 5.0), (5.0, 1.0), (0.0, 1e38)])
def test_bounds_that_cannot_be_are_refused(between: tuple[float, float]) -> None:
    with pytest.raises(DeclarationError, match="the lower bound comes first"):
        Regression("vehicles", between=between)


def test_counts_that_are_all_0_teach_nothing() -> None:
    with pytest.raises(FeatureError, match="is 0 in all 3 rows"):
        Regression("vehicles").minimising("poisson").targets(np.zeros(3))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize(("minimised", "scale"), [("squared_error", 1e-3), ("absolute_error", 1e5), ("poisson", 1e5)])
def test_every_ready_recipe_learns_a_number_of_any_unit(recipe: Recipe, minimised: str, scale: float) -> None:
    task = Regression("vehicles").minimising(minimised)
    frame = rows(scale)
    fitted = fit_recipe(recipe, frame, task=task, features=FEATURES, label=LABEL)
    labels, answers = frame[LABEL].to_numpy(), fitted.predict(frame)
    assert abs(answers - labels).mean() < 0.35 * abs(labels - np.median(labels)).mean()
    parity = check_parity(fitted.to_onnx(), SIGNATURE, frame, fitted.predict, spread=task.spread(labels))
    assert parity.rows > len(frame)
    assert Scorer(fitted.to_onnx(), SIGNATURE).score_one({"number": 0.0, "group": "b"}) == pytest.approx(scale, rel=0.2)


def test_a_graph_that_is_wrong_by_a_share_of_the_spread_is_refused() -> None:
    task, frame = Regression("vehicles"), rows(1e-6)
    fitted = fit_recipe(GradientBoosting(trees=5), frame, task=task, features=FEATURES, label=LABEL)
    spread = task.spread(frame[LABEL].to_numpy())
    with pytest.raises(NotServableError, match="it must not serve"):
        check_parity(fitted.to_onnx(), SIGNATURE, frame, lambda asked: fitted.predict(asked) + 1e-9, spread=spread)


def test_a_declared_metric_is_what_recipes_minimise() -> None:
    declared = {name: getattr(MODEL, name) for name in type(MODEL).model_fields if name not in ("task", "metric")}
    for metric, loss in (
        ("absolute_error", "absolute_error"),
        ("poisson_deviance", "poisson"),
        ("squared_error", "squared_error"),
    ):
        model = type(MODEL)(**declared | {"task": Regression("vehicles"), "metric": metric})
        assert (model.task.loss, model.metric.name) == (loss, metric)
    with pytest.raises(DeclarationError, match="auc"):
        type(MODEL)(**declared | {"task": Regression("vehicles"), "metric": "auc"})
