"""The contract of every recipe, for the tests of one's own: ``from everfit.testing import check_recipe``."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from everfit.declaration import Model
from everfit.declaration.fit_context import FitContext
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import LABEL
from everfit.declaration.tasks import Task
from everfit.declaration.views import Features
from everfit.errors import DeclarationError, FeatureError, RecipeError
from everfit.training.artifact import Signature
from everfit.training.checked_fit import CheckedFit
from everfit.training.parity import Parity, check_parity, hostile
from everfit.training.recipe_fit import fit_recipe

if TYPE_CHECKING:
    import polars as pl


def check_recipe(
    recipe: Recipe,
    rows: "pl.DataFrame",
    *,
    model: Model | None = None,
    task: Task | None = None,
    features: Features | None = None,
    weights: Callable[[Any], Any] | None = None,
) -> Parity:
    """Fit a recipe on labelled rows and hold it to what everfit relies on; returns how far its export's answers are away.

    Neither rows nor context are changed, two fits answer the same, a row alone is answered as among others, nulls and unknown
    categories are answered, a missing column is named, and what is exported answers as the fitted recipe does.

    Args:
        recipe: what is checked; it is fitted twice.
        rows: a few hundred suffice, with a column for each feature and for the task's label.
        model: what declares task, features and weights; or give the task and the features themselves.
        task: what is predicted.
        features: name and kind of every input, in order.
        weights: how much each row counts in the fit, as ``Model(weights=…)`` declares it.

    Raises:
        DeclarationError: when neither a model nor a task with its features is given.
        RecipeError: when something of this does not hold, with what and where.
        NotServableError: when the export's answers are not those of the fitted recipe.
    """
    if model is not None:
        task, features, weights = task or model.task, features or model.features, weights or model.weights
    if task is None or features is None:
        raise DeclarationError("check_recipe takes model=…, or task=… and features=…; give one of them")
    if fault := recipe.inputs_fault(features):
        raise _error(recipe, fault)
    label = task.label if task.label in rows.columns else LABEL
    fit = partial(fit_recipe, _watched(recipe), rows, task=task, features=features, label=label, weights=weights)
    spread = task.spread(rows[label].to_numpy())
    made = _checked(recipe, fit, rows, features, spread)
    trusted = recipe.trusted_types()
    signature = Signature(recipe.name, list(features), "", native=None if trusted is None else list(trusted))
    return check_parity(made.export(), signature, rows, made.predict, spread=spread)


def _checked(
    recipe: Recipe, fit: Callable[[], CheckedFit], rows: "pl.DataFrame", features: Features, spread: float
) -> CheckedFit:
    """A fit whose answers keep to the contract."""
    import numpy as np

    made = fit()
    _unchanged(recipe, rows, "predict", made.fitted.predict)
    answers = made.predict(rows)
    if not np.array_equal(answers, fit().predict(rows)):
        raise _error(recipe, "two fits on the same rows answer differently; seed every random draw by context.seed")
    alone = made.predict(rows.head(1))
    if (apart := float(np.abs(alone - answers[:1]).max())) > 1e-5 * spread:
        raise _error(recipe, f"the first row alone is answered {apart:g} away from its answer among all rows")
    for block in hostile(features, rows):
        made.predict(block)
    _require_columns(recipe, made, rows, features)
    return made


def _watched(recipe: Recipe) -> Recipe:
    """The recipe, whose fit is given the very rows, labels and weights, not copies, and may not change them."""
    import numpy as np

    kind = type(recipe)

    def fit(_: Recipe, rows: "pl.DataFrame", context: FitContext) -> Any:
        before = {name: getattr(context, name) for name in ("labels", "weights")}
        before = {name: values.copy() for name, values in before.items() if values is not None}
        fitted = _unchanged(recipe, rows, "fit", lambda given: recipe.fit(given, context))
        for name, values in before.items():
            if not np.array_equal(getattr(context, name), values):
                raise _error(recipe, f"fit changes context.{name}; work on a copy")
        return fitted

    watched: Any = type(kind.__name__, (kind,), {"fit": fit, "__module__": kind.__module__})
    made: Recipe = watched.model_construct(**dict(recipe))
    return made


def _unchanged(recipe: Recipe, rows: "pl.DataFrame", method: str, call: Any) -> Any:
    import polars as pl

    given = pl.DataFrame(rows.to_dict(as_series=False), schema=rows.schema)
    result = call(given)
    if not given.equals(rows):
        raise _error(recipe, f"{method} changes its rows; work on a copy")
    return result


def _require_columns(recipe: Recipe, made: CheckedFit, rows: "pl.DataFrame", features: Features) -> None:
    for name, _ in features:
        try:
            made.predict(rows.drop(name))
        except FeatureError as error:
            if repr(name) in str(error):
                continue
            raise _error(recipe, f"predict of rows without column {name!r} does not name it: {error}") from error
        raise _error(recipe, f"predict of rows without column {name!r} raises no FeatureError")


def _error(recipe: Recipe, what: str) -> RecipeError:
    return RecipeError(f"recipe {recipe.name}: {what}")
