"""What is no recipe is refused when it is declared, by the field's name and what is missing."""

import subprocess
import sys
import threading
from typing import Any

import polars as pl
import pytest

from everfit import FitContext, Model, Recipe
from everfit.declaration import Name
from everfit.errors import DeclarationError, RecipeError
from models.electricity_price import electricity_price
from tests.recipes import fit


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


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (Unwritten(), "candidates.0: Unwritten has no method fit; write fit(self, rows, context)"),
        (Untaught(), "candidates.0: Untaught.fit cannot be called as fit(rows, context): too many positional arguments"),
        (Unrecorded(), "candidates.0: Unrecorded has a parameter that cannot be recorded as JSON"),
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


def test_to_declare_the_ready_recipes_loads_no_heavy_package() -> None:
    script = "import sys; from everfit import GradientBoosting, TorchMLP; GradientBoosting(), TorchMLP(); "
    script += "print(*sorted(set(sys.modules) & {'numpy', 'onnx', 'polars', 'sklearn', 'torch'}))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"
