"""Fit a recipe: the labels are checked before, and what the fit returns after, its answers included."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from everfit.declaration import Model
from everfit.declaration.fit_context import FitContext
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import LABEL
from everfit.declaration.tasks import Labels, Task
from everfit.errors import FeatureError, RecipeError
from everfit.training.arrays import Features, Floats
from everfit.training.checked_fit import CheckedFit
from everfit.training.fit_place import FitPlace
from everfit.training.reduced_fit import ReducedFit
from everfit.training.row_weights import fit_weights

if TYPE_CHECKING:
    import polars as pl


def fit_candidate(model: Model, recipe: Recipe, rows: "pl.DataFrame", place: FitPlace | None = None) -> CheckedFit:
    """As :func:`fit_recipe`, by what the model declares: its task, its features and its weights; the label is LABEL."""
    declared: dict[str, Any] = {"task": model.task, "features": model.features, "weights": model.weights}
    return fit_recipe(recipe, rows, label=LABEL, place=place, **declared)


def fit_recipe(
    recipe: Recipe,
    rows: "pl.DataFrame",
    *,
    task: Task,
    features: Features,
    label: str,
    weights: Callable[[Any], Any] | Floats | None = None,
    place: FitPlace | None = None,
    seconds: float | None = None,
) -> CheckedFit:
    """Fit a recipe on labelled rows; the same rows in the same order and seed give the same model.

    Args:
        recipe: what is fitted.
        rows: one row an event, with the features and the label; they are not changed.
        task: what is predicted.
        features: name and kind of every input, in order.
        label: name of the column of labels.
        weights: how much each row counts, as ``Model(weights=…)`` declares it, times WEIGHT where the rows have it; or all of
            it, float64[N].
        place: where the fit keeps what it has done, and what it may go on from; None where nothing is kept.
        seconds: until the fit is ended; None where nothing ends it.

    Raises:
        DeclarationError: when a weight is no positive number.
        FeatureError: when a column is missing or of a wrong type, the recipe does not take one of the inputs, or nothing can
            be learnt from the labels.
        RecipeError: when the fit returns what cannot predict or cannot be exported.
    """
    if fault := recipe.inputs_fault(features):
        raise FeatureError(f"recipe {recipe.name}: {fault}")
    labels = _labels(task, rows, label)
    context = FitContext(
        task=task,
        features=features,
        labels=task.targets(labels),
        seed=recipe.seed,
        weights=fit_weights(weights, rows, task) if weights is None or callable(weights) else weights,
        deadline=None if seconds is None else time.monotonic() + seconds,
    )
    context = place.given_to(context) if place else context
    reduction = task.reduced(labels)
    if reduction is None:
        return _fit(recipe, rows, context)
    smaller = replace(context, task=reduction.task, labels=reduction.task.targets(reduction.labels))
    fitted = _fit(recipe, rows, smaller)
    return CheckedFit(recipe, task, ReducedFit(fitted, task, reduction.shares), reduction.notes, fitted.parent)


def _fit(recipe: Recipe, rows: "pl.DataFrame", context: FitContext) -> CheckedFit:
    try:
        fitted = recipe.fit(rows.clone(), context)  # a fit that changes its frame changes no other's
    except ModuleNotFoundError as error:
        install = "install its package where trainings run, and name it in requirements.txt beside the models"
        raise RecipeError(f"recipe {recipe.name}: there is no module {error.name!r} here; {install}") from error
    returned = f"recipe {recipe.name}: {type(recipe).__name__}.fit returns"
    if isinstance(fitted, type):
        raise RecipeError(f"{returned} the class {fitted.__name__}; return an object of it")
    exported = "to_onnx" if recipe.trusted_types() is None else "to_native"
    if missing := [name for name in ("predict", exported) if not hasattr(fitted, name)]:
        raise RecipeError(
            f"{returned} {type(fitted).__name__} without {' and '.join(missing)}; a Fitted has predict(frame) and {exported}()"
        )
    champion = context.champion
    return CheckedFit(recipe, context.task, fitted, parent=champion.version if champion and champion.was_read else None)


def _labels(task: Task, rows: "pl.DataFrame", label: str) -> Labels:
    """labels[N], a missing one as NaN, or None among texts."""
    import polars as pl

    if label not in rows.columns:
        raise FeatureError(f"no label column {label!r} in the rows; they have {', '.join(rows.columns)}")
    if task.label_kind == "category":
        return rows[label].cast(pl.String).to_numpy()
    return rows[label].cast(pl.Float64).fill_null(float("nan")).to_numpy()
