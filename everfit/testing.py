"""The contract of every recipe, for the tests of one's own: ``from everfit.testing import check_recipe``."""

from typing import TYPE_CHECKING, Any

from everfit.declaration.fit_context import FitContext
from everfit.declaration.recipes import Recipe
from everfit.declaration.tasks import Task
from everfit.declaration.views import Features
from everfit.errors import FeatureError, RecipeError
from everfit.training.artifact import Signature
from everfit.training.checked_fit import CheckedFit
from everfit.training.parity import Parity, check_parity, hostile

if TYPE_CHECKING:
    import polars as pl


def check_recipe(recipe: Recipe, rows: "pl.DataFrame", *, task: Task, features: Features) -> Parity:
    """Fit a recipe on labelled rows and hold it to what everfit relies on; returns how far its graph's answers are away.

    Neither rows nor context are changed, two fits answer the same, a row alone is answered as among others, nulls and unknown
    categories are answered, a missing column is named, and the exported graph answers as the fitted recipe does.

    Args:
        recipe: what is checked; it is fitted twice.
        rows: a few hundred suffice, with a column for each feature and for the task's label.
        task: what is predicted.
        features: name and kind of every input, in order.

    Raises:
        RecipeError: when something of this does not hold, with what and where.
        NotServableError: when the graph's answers are not those of the fitted recipe.
    """
    import numpy as np

    if fault := recipe.inputs_fault(features):
        raise _error(recipe, fault)
    made = _fitted(recipe, rows, task, features)
    _unchanged(recipe, rows, "predict", made.fitted.predict)
    answers = made.predict(rows)
    if not np.array_equal(answers, _fitted(recipe, rows, task, features).predict(rows)):
        raise _error(recipe, "two fits on the same rows answer differently; seed every random draw by context.seed")
    spread = task.spread(rows[task.label].to_numpy())
    alone = made.predict(rows.head(1))
    if (apart := float(np.abs(alone - answers[:1]).max())) > 1e-5 * spread:
        raise _error(recipe, f"the first row alone is answered {apart:g} away from its answer among all rows")
    for block in hostile(features, rows):
        made.predict(block)
    _require_columns(recipe, made, rows, features)
    trusted = recipe.trusted_types()
    signature = Signature(recipe.name, list(features), "", native=None if trusted is None else list(trusted))
    return check_parity(made.export(), signature, rows, made.predict, spread=spread)


def _fitted(recipe: Recipe, rows: "pl.DataFrame", task: Task, features: Features) -> CheckedFit:
    """A fit that was given the very rows and labels, not copies of them."""
    labels = task.targets(rows[task.label].to_numpy())
    context = FitContext(task=task, features=features, labels=labels.copy(), seed=recipe.seed)
    fitted = _unchanged(recipe, rows, "fit", lambda given: recipe.fit(given, context))
    if not (context.labels == labels).all():
        raise _error(recipe, "fit changes context.labels; work on a copy")
    return CheckedFit(recipe, task, fitted)


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
