"""Fit a recipe: the labels are checked before, and what the fit returns after."""

from typing import TYPE_CHECKING

from everfit.declaration.recipes import FitContext, Fitted, Recipe
from everfit.declaration.tasks import Task
from everfit.errors import FeatureError, RecipeError
from everfit.training.arrays import Features, Floats

if TYPE_CHECKING:
    import polars as pl


def fit_recipe(recipe: Recipe, rows: "pl.DataFrame", *, task: Task, features: Features, label: str) -> Fitted:
    """Fit a recipe on labelled rows; the same rows in the same order and seed give the same model.

    Args:
        recipe: what is fitted.
        rows: one row an event, with the features and the label; they are not changed.
        task: what is predicted.
        features: name and kind of every input, in order.
        label: name of the column of labels.

    Raises:
        FeatureError: when a column is missing or of a wrong type, or nothing can be learnt from the labels.
        RecipeError: when the fit returns what cannot predict or cannot be exported.
    """
    fitted = recipe.fit(rows, FitContext(task=task, features=features, labels=_targets(task, rows, label), seed=recipe.seed))
    if not isinstance(fitted, Fitted):
        missing = [name for name in ("predict", "to_onnx") if not hasattr(fitted, name)]
        raise RecipeError(
            f"recipe {recipe.name}: {type(recipe).__name__}.fit returns {type(fitted).__name__} without "
            f"{' and '.join(missing)}; a Fitted has predict(frame) and to_onnx()"
        )
    return fitted


def _targets(task: Task, rows: "pl.DataFrame", label: str) -> Floats:
    import polars as pl

    if label not in rows.columns:
        raise FeatureError(f"no label column {label!r} in the rows; they have {', '.join(rows.columns)}")
    return task.targets(rows[label].cast(pl.Float64).fill_null(float("nan")).to_numpy())
