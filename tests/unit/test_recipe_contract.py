"""The contract suite holds for recipes of every kind, and names what does not keep to it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import (
    BinaryClassification,
    FitContext,
    GradientBoosting,
    MulticlassClassification,
    QuantileRegression,
    Recipe,
    Regression,
    Sklearn,
    Task,
    Torch,
    TorchMLP,
)
from everfit.declaration import Name
from everfit.errors import DeclarationError, NotServableError, RecipeError
from everfit.testing import check_recipe
from everfit.training.row_weights import row_weights
from models.electricity_price import electricity_price
from tests import estimators, modules
from tests.estimators import FEATURES, made_rows
from tests.extensions import documented
from tests.unit.test_data_faults import alternate, labelled

LATE, MINUTES = BinaryClassification(label="late"), Regression("minutes")
WHEN, LEVELS = MulticlassClassification("when", ("morning", "late", "evening")), QuantileRegression("minutes", (0.1, 0.5, 0.9))
NEVER = MulticlassClassification("when", ("late", "never", "morning", "evening"))
ROWS = made_rows(300)
PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def example(containing: str) -> str:
    """The one example of the page that has these words."""
    (found,) = (source for source in EXAMPLES if containing in source)
    return str(found)


def written(source: str, name: str) -> Any:
    names: dict[str, Any] = {"__name__": "tests.written"}
    exec(source, names)
    return names[name]


RECIPES: list[tuple[Recipe, Task]] = [
    (GradientBoosting(trees=3), LATE),
    (GradientBoosting(trees=3), MINUTES),
    (TorchMLP(hidden=(4,), epochs=1), LATE),
    (TorchMLP(hidden=(4,), epochs=1), MINUTES),
    (GradientBoosting(trees=3), WHEN),
    (GradientBoosting(trees=3), LEVELS),
    (TorchMLP(hidden=(4,), epochs=1), WHEN),
    (TorchMLP(hidden=(4,), epochs=1), LEVELS),
    (Sklearn("words", estimators.words), LATE),
    (Sklearn("words", estimators.words), WHEN),
    (Sklearn("extreme", estimators.extreme), NEVER),
    (Sklearn("embedded", estimators.embedded), LATE),
    (Sklearn("ridge", estimators.ridge), MINUTES),
    (Sklearn("xgboost", estimators.extreme), LATE),
    (Torch("vectors", modules.vectors, epochs=2, batch_rows=64), MINUTES),
    (Sklearn("lightgbm", estimators.light), LATE),
    (Sklearn("calibrated", estimators.calibrated_forest), LATE),
    (written(documented("Recipes"), "Logistic")(), LATE),
]


@pytest.mark.parametrize(("recipe", "task"), RECIPES, ids=lambda each: each.name if isinstance(each, Recipe) else each.label)
def test_every_recipe_keeps_the_contract(recipe: Recipe, task: Task) -> None:
    taken = [feature for feature in FEATURES if not recipe.inputs_fault([feature])]
    assert check_recipe(recipe, ROWS, task=task, features=taken).difference <= 1e-3 * task.spread(ROWS["minutes"].to_numpy())


def test_a_model_gives_task_features_and_weights() -> None:
    """Rows that hold the label under everfit's own name do as well."""
    seen: list[FitContext] = []

    class Seeing(GradientBoosting):
        def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
            seen.append(context)
            return super().fit(rows, context)

    model = electricity_price.model_copy(update={"weights": lambda rows: 1 + 4 * rows[electricity_price.label]})
    assert check_recipe(Seeing(trees=1), labelled(alternate).tail(60), model=model).difference <= 1e-5
    assert (seen[0].task, list(seen[0].features)) == (model.task, model.features)
    assert seen[0].weights is not None
    assert set(seen[0].weights.tolist()) == {1.0, 5.0}


def test_without_a_model_or_a_task_it_says_what_to_give() -> None:
    with pytest.raises(DeclarationError, match="check_recipe takes model=…, or task=… and features=…"):
        check_recipe(GradientBoosting(), ROWS, task=LATE)


def test_inputs_that_it_does_not_take_are_named() -> None:
    with pytest.raises(RecipeError, match=r"recipe gradient_boosting: .*note"):
        check_recipe(GradientBoosting(trees=1), ROWS, task=LATE, features=FEATURES)


class Breaking(Recipe):
    """Answers the share of 1, and breaks the contract in one way."""

    name: Name = "breaking"
    how: str

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        if self.how == "rows":
            rows.drop_in_place("note")
        if self.how == "labels":
            context.labels[0] = 1 - context.labels[0]
        if self.how == "weights" and context.weights is not None:
            context.weights[0] = 7.0
        made = GradientBoosting(trees=1).fit(rows if "note" in rows.columns else rows.with_columns(note=None), context)
        return Broken(self.how, made)


class Broken:
    def __init__(self, how: str, made: Any) -> None:
        self.how, self.made, self.drawn = how, made, np.random.default_rng().random() / 10

    def predict(self, frame: pl.DataFrame) -> Any:
        if self.how == "answered rows":
            frame.drop_in_place("hour")
            return np.full(frame.height, 0.5)
        if self.how == "columns":
            return np.full(frame.height, 0.5)
        answers = self.made.predict(frame)
        if self.how == "nulls" and frame["distance"].null_count() == frame.height:
            return answers * np.nan
        if self.how == "graph":
            return answers * 0.9
        if self.how == "neighbours":
            return answers * 0 + 1 / (1 + frame.height)
        return answers * 0.5 + self.drawn if self.how == "seed" else answers

    def to_onnx(self) -> bytes:
        return bytes(self.made.to_onnx())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("rows", "fit changes its rows"),
        ("labels", r"fit changes context\.labels"),
        ("weights", r"fit changes context\.weights"),
        ("answered rows", "predict changes its rows"),
        ("seed", "two fits on the same rows answer differently"),
        ("neighbours", "the first row alone is answered"),
        ("nulls", "no finite number"),
        ("columns", "predict of rows without column 'distance' raises no FeatureError"),
    ],
)
def test_what_breaks_it_is_named(how: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"recipe breaking: .*{message}"):
        check_recipe(Breaking(how=how), ROWS, task=LATE, features=FEATURES, weights=lambda rows: rows["late"] + 1)


def test_a_graph_that_answers_otherwise_is_named() -> None:
    with pytest.raises(NotServableError, match="the exported graph answers"):
        check_recipe(Breaking(how="graph"), ROWS, task=LATE, features=FEATURES)


@pytest.mark.parametrize("containing", ["forest", "boosted", "neighbours", "network", "Search"])
def test_the_pages_recipes_keep_the_contract_as_they_are_written_there(containing: str) -> None:
    check = written(example("def check"), "check")
    assert check(written(example(containing), "candidate"), ROWS).difference <= 1e-5


@pytest.mark.parametrize("name", ["trees", "mlp"])
def test_the_pages_ready_recipes_keep_the_contract(name: str) -> None:
    numbers = [feature for feature in FEATURES if feature[1] == "number"]
    assert check_recipe(written(example("monotone="), name), ROWS, task=LATE, features=numbers).difference <= 1e-5


def test_the_pages_weights_are_weights() -> None:
    assert set(row_weights(written(example("def weights"), "weights"), ROWS, LATE).tolist()) == {1.0, 5.0}


def test_the_pages_words_keep_the_contract() -> None:
    recipe = written(example("def words"), "candidate")
    assert check_recipe(recipe, ROWS, task=LATE, features=FEATURES).difference <= 1e-5
