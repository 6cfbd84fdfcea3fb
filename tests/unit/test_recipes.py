"""What is no recipe is refused when it is declared, by the field's name and what is missing."""

import subprocess
import sys
import threading
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from everfit import BinaryClassification, FitContext, GradientBoosting, Model, MulticlassClassification, Recipe, TorchMLP
from everfit.declaration import Name
from everfit.errors import DeclarationError, FeatureError, RecipeError
from everfit.training.boosted_trees import LOSSES
from everfit.training.recipe_fit import fit_recipe
from models.electricity_price import electricity_price
from tests.recipes import fit
from tests.tasks import Bounded


class Unwritten(Recipe):
    """Has no fit."""

    name: Name = "unwritten"


class Untaught(Recipe):
    """Takes no context."""

    name: Name = "untaught"

    def fit(self, rows: pl.DataFrame) -> Any:  # type: ignore[override]
        return rows


class Unrecorded(Recipe):
    """Has a parameter that no document can hold."""

    name: Name = "unrecorded"
    lock: Any = threading.Lock()

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        return self.lock, rows, context


class Mute(Recipe):
    """Returns something that neither predicts nor exports itself."""

    name: Name = "mute"

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        return rows.height, context


class Misnamed(Unwritten):
    """Has a default name that is no name."""

    name: str = "My recipe!"

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        return rows, context


class Ranking(BinaryClassification):
    """Has a loss that no ready recipe minimises."""

    @property
    def loss(self) -> str:
        return "hinge"


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (Unwritten(), "candidates.0: Unwritten has no method fit; write fit(self, rows, context)"),
        (Untaught(), "candidates.0: Untaught.fit cannot be called as fit(rows, context): too many positional arguments"),
        (Unrecorded(), "candidates.0: Unrecorded has a parameter that cannot be recorded as JSON"),
        (Misnamed(), "candidates.0: Misnamed has the name 'My recipe!'; a name is up to 63 lower-case letters, digits and"),
        (Unwritten, "candidates.0: Unwritten is a class; write Unwritten()"),
        ({"name": "mapped"}, "candidates.0: dict is no recipe; write a class on everfit.Recipe"),
        ("forest", "candidates.0: str is no recipe"),
    ],
)
def test_what_is_no_recipe_is_refused_when_it_is_declared(candidate: Any, message: str) -> None:
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields}
    with pytest.raises(DeclarationError) as refused:
        Model(**declared | {"candidates": [candidate]})
    assert message in str(refused.value)


def test_a_fit_that_returns_no_fitted_model_is_named_with_what_it_lacks() -> None:
    with pytest.raises(RecipeError, match=r"recipe mute: Mute.fit returns tuple without predict and to_onnx"):
        fit(Mute(), pl.DataFrame({"up": [0.0, 1.0]}), features=[], label="up")


@pytest.mark.parametrize(
    ("recipe", "minimised"),
    [
        (GradientBoosting(), "GradientBoosting minimises log_loss or squared_error or absolute_error or poisson or gamma"),
        (TorchMLP(), "TorchMLP minimises log_loss or squared_error or absolute_error or poisson"),
    ],
)
def test_a_loss_that_a_ready_recipe_lacks_is_named(recipe: Recipe, minimised: str) -> None:
    rows = pl.DataFrame({"up": [0.0, 1.0]})
    with pytest.raises(DeclarationError, match=rf"^{minimised}, not 'hinge' of Ranking; use another recipe"):
        fit_recipe(recipe, rows, task=Ranking(label="up"), features=[], label="up")


class Several(MulticlassClassification):
    """Has a loss of its own, or leaves the classes that there are no rows of to the recipe."""

    own_loss: str = "log_loss"

    @property
    def loss(self) -> str:
        return self.own_loss

    def reduced(self, labels: Any) -> None:
        return None


@pytest.mark.parametrize("recipe", [GradientBoosting(), TorchMLP()])
@pytest.mark.parametrize(
    ("own_loss", "error", "told"),
    [
        (
            "hinge",
            DeclarationError,
            "log_loss or pinball of answers of 3 numbers, not 'hinge' of Several; use another",
        ),
        ("log_loss", FeatureError, "2 rows hold 2 of the 3 classes of Several; let its method reduced give the task"),
    ],
)
def test_answers_of_several_numbers_that_a_ready_recipe_cannot_learn(
    recipe: Recipe, own_loss: str, error: type[Exception], told: str
) -> None:
    rows = pl.DataFrame({"sky": ["rain", "snow"]})
    task = Several(label="sky", classes=["rain", "snow", "hail"], own_loss=own_loss)
    with pytest.raises(error, match=told):
        fit_recipe(recipe, rows, task=task, features=[], label="sky")


@pytest.mark.parametrize("loss", LOSSES[1:])
def test_gradient_boosting_has_the_losses_of_numbers_that_it_names(loss: str) -> None:
    class Task(Bounded):
        loss: ClassVar[str]

    Task.loss = loss
    number = pl.Series("number", range(1, 101)) / 101
    rows = pl.DataFrame({"number": number, "label": number})
    fitted = fit_recipe(
        GradientBoosting(trees=3), rows, task=Task(label="label"), features=[("number", "number")], label="label"
    )
    assert np.isfinite(fitted.predict(rows)).all()


def test_to_declare_the_ready_recipes_loads_no_heavy_package() -> None:
    script = "import sys; from everfit import GradientBoosting, TorchMLP; GradientBoosting(), TorchMLP(); "
    script += "print(*sorted(set(sys.modules) & {'numpy', 'onnx', 'polars', 'sklearn', 'torch'}))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"
