"""GradientBoosting and TorchMLP: answers of several numbers, early stopping, weights of classes, answers that only rise."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.class_weight import compute_sample_weight

from everfit import (
    BinaryClassification,
    GradientBoosting,
    MulticlassClassification,
    QuantileRegression,
    Recipe,
    Regression,
    Sklearn,
    Task,
    TorchMLP,
)
from everfit.declaration.fit_context import FitContext
from everfit.declaration.views import Kind
from everfit.errors import DeclarationError, FeatureError
from everfit.training.artifact import Scorer, Signature
from everfit.training.checked_fit import CheckedFit
from everfit.training.native_file import loaded
from everfit.training.recipe_fit import fit_recipe

FEATURES: list[tuple[str, Kind]] = [("heat", "number"), ("place", "category"), ("wind", "number")]
LATE = BinaryClassification(label="rare")
SKY = MulticlassClassification("sky", ("rain", "clear", "snow"))
NOISE, RISING = Regression("noise"), GradientBoosting(monotone={"heat": 1})
CARS = QuantileRegression("cars", (0.1, 0.5, 0.9))
SMALL = [GradientBoosting(trees=10, min_leaf_rows=5), TorchMLP(hidden=(8,), epochs=12, batch_rows=32, learning_rate=0.02)]


def made_rows(rows: int = 400) -> pl.DataFrame:
    """Rows whose heat tells the sky and, with noise, the cars; ``rare`` is 1 in a tenth of the warm ones."""
    random = np.random.default_rng(3)
    heat, wind = random.normal(size=rows), random.normal(size=rows)
    sky = np.where(heat < -0.5, "snow", np.where(heat < 0.5, "rain", "clear"))
    return pl.DataFrame(
        {
            "heat": heat,
            "wind": wind,
            "place": random.choice(["north", "south"], rows),
            "sky": sky,
            "cars": 1_000 + 300 * heat + 50 * random.normal(size=rows),
            "noise": random.normal(size=rows),
            "rare": ((heat > 0) & (random.random(rows) < 0.2)).astype(float),
        }
    )


ROWS = made_rows()


def fitted(recipe: Recipe, task: Task, rows: pl.DataFrame = ROWS, **given: Any) -> CheckedFit:
    return fit_recipe(recipe, rows, task=task, features=FEATURES, label=task.label, **given)


def loss(fit: CheckedFit, task: Task) -> float:
    return float(task.losses(ROWS[task.label].to_numpy(), fit.predict(ROWS)).mean())


def best_constant(task: Task) -> float:
    labels = ROWS[task.label].to_numpy()
    return float(task.losses(labels, np.array([task.baseline(labels)] * len(labels))).mean())


@pytest.mark.parametrize("recipe", SMALL, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("task", [SKY, CARS], ids=lambda task: task.label)
def test_several_numbers_are_learnt_far_better_than_the_best_constant(recipe: Recipe, task: Task) -> None:
    assert loss(fitted(recipe, task), task) < 0.5 * best_constant(task)


@pytest.mark.parametrize("recipe", SMALL, ids=lambda recipe: recipe.name)
def test_classes_without_rows_and_rare_ones_are_answered_by_the_graph_as_by_the_fit(recipe: Recipe) -> None:
    rows = ROWS.with_columns(sky=pl.when(pl.int_range(pl.len()) % 100 == 0).then(pl.lit("hail")).otherwise("sky"))
    for classes in (("snow", "fog", "clear", "rain", "hail"), ("hail", "snow", "rain", "clear")):
        task = MulticlassClassification("sky", classes, rare="merge")
        fit = fitted(recipe, task, rows)
        exported = Scorer(fit.to_onnx(), Signature("sky", FEATURES, "")).score(rows)
        assert np.abs(exported - fit.predict(rows)).max() < 1e-5
        assert exported.argmax(axis=1)[:5].tolist() == fit.predict(rows).argmax(axis=1)[:5].tolist()


def test_of_two_classes_gradient_boosting_answers_as_for_0_and_1() -> None:
    rows = ROWS.with_columns(word=pl.when(pl.col("rare") == 1).then(pl.lit("yes")).otherwise(pl.lit("no")))
    two = fitted(SMALL[0], MulticlassClassification("word", ("no", "yes")), rows)
    one = fitted(SMALL[0], LATE, rows)
    assert np.allclose(two.predict(rows)[:, 1], one.predict(rows), atol=1e-12)
    exported = Scorer(two.to_onnx(), Signature("two", FEATURES, "")).score(rows)
    assert np.abs(exported - two.predict(rows)).max() < 1e-9


def test_what_onnx_cannot_hold_answers_a_class_without_rows_from_its_file_as_the_fit_does() -> None:
    task = MulticlassClassification("sky", ("rain", "fog", "clear", "snow"))
    native = ["sklearn.metrics._dist_metrics.EuclideanDistance64", "sklearn.neighbors._kd_tree.KDTree"]
    recipe = Sklearn("near", KNeighborsClassifier(3), native=native)
    fit = fit_recipe(recipe, ROWS, task=task, features=[FEATURES[0]], label="sky")
    answers = fit.predict(ROWS)
    assert loaded(fit.export(), native).predict(ROWS).tolist() == answers.tolist()
    assert np.allclose(answers[:, 1], 1 / 404)


def test_gradient_boosting_that_stops_early_learns_all_rows_with_the_best_number_of_trees() -> None:
    recipe = GradientBoosting(trees=60, learning_rate=0.5, early_stopping=5)
    stopped = fitted(recipe, NOISE)
    trees = len(stopped.fitted.estimators[0]._predictors)  # type: ignore[attr-defined]
    assert trees < 10, "nothing is to be learnt from noise"
    plain = fitted(GradientBoosting(trees=trees, learning_rate=0.5), NOISE)
    assert stopped.predict(ROWS).tobytes() == plain.predict(ROWS).tobytes()
    known = fitted(recipe, Regression("cars"))
    assert len(known.fitted.estimators[0]._predictors) > trees  # type: ignore[attr-defined]
    for task in (SKY, CARS):
        assert loss(fitted(recipe, task), task) < 0.5 * best_constant(task)


def test_a_network_that_stops_early_learns_all_rows_for_the_best_number_of_epochs(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"hidden": (16,), "learning_rate": 0.05, "batch_rows": 32}
    stopped = fitted(TorchMLP(epochs=40, early_stopping=3, **settings), NOISE).predict(ROWS).tobytes()
    plain = [fitted(TorchMLP(epochs=epochs, **settings), NOISE).predict(ROWS).tobytes() for epochs in range(1, 8)]
    assert plain.count(stopped) == 1
    labels = ROWS["noise"].to_numpy().copy()
    context = FitContext(task=NOISE, features=FEATURES, labels=labels, seed=0, checkpoints=tmp_path)
    for _ in range(2):
        again = TorchMLP(epochs=40, early_stopping=3, **settings).fit(ROWS, context)
        assert again.predict(ROWS).tobytes() == stopped, "with checkpoints, and from those that are whole"
    assert not list(tmp_path.rglob("set_aside"))


@pytest.mark.parametrize("recipe", SMALL, ids=lambda recipe: recipe.name)
def test_balanced_classes_are_learnt_as_by_weights_of_the_rows_and_multiply_declared_ones(recipe: Recipe) -> None:
    balanced = recipe.model_copy(update={"class_weight": "balanced"})
    weights = compute_sample_weight("balanced", ROWS["rare"].to_numpy())
    by_rows = fitted(recipe, LATE, weights=lambda rows: weights)
    answers = fitted(balanced, LATE).predict(ROWS)
    assert answers.tobytes() == by_rows.predict(ROWS).tobytes()
    assert answers.mean() > 2 * fitted(recipe, LATE).predict(ROWS).mean()
    both = fitted(balanced, LATE, weights=lambda rows: 1 + rows["heat"].abs())
    product = fitted(recipe, LATE, weights=lambda rows: weights * (1 + rows["heat"].abs().to_numpy()))
    assert both.predict(ROWS).tobytes() == product.predict(ROWS).tobytes()


def test_answers_only_rise_or_fall_where_that_is_declared() -> None:
    grid = pl.DataFrame({"heat": np.linspace(-2, 2, 50), "place": "north", "wind": 0.0})
    free = fitted(GradientBoosting(trees=20, min_leaf_rows=5), NOISE).predict(grid)
    assert (np.diff(free, axis=0) > 0).any()
    assert (np.diff(free, axis=0) < 0).any()
    recipe = GradientBoosting(trees=20, min_leaf_rows=5, monotone={"heat": -1})
    fit = fitted(recipe, NOISE)
    assert (np.diff(fit.predict(grid), axis=0) <= 1e-12).all()
    assert np.abs(Scorer(fit.to_onnx(), Signature("falls", FEATURES, "")).score(grid) - fit.predict(grid)).max() < 1e-9


@pytest.mark.parametrize(
    ("recipe", "task", "error", "message"),
    [
        (GradientBoosting(class_weight="balanced"), CARS, DeclarationError, "='balanced', and Quan.* no classes; leave it out"),
        (TorchMLP(class_weight="balanced"), NOISE, DeclarationError, r"or weigh the rows by Model\(weights=…\)"),
        (RISING, SKY, DeclarationError, "asks for log loss of 3 numbers; leave"),
        (
            RISING,
            CARS,
            DeclarationError,
            "gamma of one number, and .* pinball loss of 3 numbers; leave",
        ),
        (
            RISING,
            NOISE.minimising("absolute_error"),
            DeclarationError,
            "Regression asks for absolute error; leave",
        ),
        (GradientBoosting(monotone={"place": 1}), LATE, FeatureError, "names 'place', which is a category; name a number"),
        (GradientBoosting(monotone={"cold": 1}), LATE, FeatureError, "names 'cold', which is none of heat, place, wind; name"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_setting_that_does_not_suit_the_task_or_the_inputs_is_refused(
    recipe: Recipe, task: Task, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fitted(recipe, task)


@pytest.mark.parametrize("recipe", [GradientBoosting(early_stopping=2), TorchMLP(early_stopping=2)], ids=["trees", "network"])
def test_too_few_rows_to_stop_early_by_are_told(recipe: Recipe) -> None:
    with pytest.raises(FeatureError, match="1 row is too few to stop early by the newest; leave early_stopping out"):
        fitted(recipe, Regression("cars"), ROWS.head(1))


def test_one_class_among_the_older_rows_is_told_where_training_is_to_stop_early() -> None:
    late = pl.DataFrame({**ROWS.head(20).to_dict(as_series=False), "rare": [0.0] * 19 + [1.0]})
    with pytest.raises(FeatureError, match="of 20 rows the older 18 hold 1 of the classes, and 1 of the newer"):
        fitted(GradientBoosting(early_stopping=2), LATE, late)
