"""An estimator before its fit: made, seeded, set to one thread, recorded by its settings, and asked what it can do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from everfit.declaration.tasks import Task
from everfit.errors import RecipeError
from everfit.training.catboost_settings import catboost_changes

if TYPE_CHECKING:
    from everfit.training.sklearn_recipe import Sklearn


def made(recipe: "Sklearn") -> Any:
    """The recipe's estimator as it was declared; it is not fitted, but copied.

    Raises:
        RecipeError: when the recipe's function returns none.
        ModuleNotFoundError: when it imports what is not installed.
    """
    estimator = recipe.make if hasattr(recipe.make, "get_params") and not isinstance(recipe.make, type) else recipe.make()
    if not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        name = recipe.make.__name__
        raise RecipeError(f"recipe {recipe.name}: {name} returns {type(estimator).__name__}, no estimator; return one")
    return estimator


def prepared(estimator: Any, seed: int) -> Any:
    """An unfitted copy on one thread, with the seed wherever ``random_state`` is no number of the user's own."""
    from sklearn.base import clone

    copy = clone(estimator)
    settings, changes = copy.get_params(deep=True), {}
    for path, value in settings.items():
        owner, _, name = path.rpartition("__")
        ours = type(settings.get(owner, copy)).__module__.startswith("sklearn.")
        if name == "n_jobs" and (isinstance(value, int) or not ours):  # scikit-learn's None is one thread, others' is all
            changes[path] = 1
        elif name == "random_state" and not isinstance(value, int):
            changes[path] = seed
    return copy.set_params(**changes | catboost_changes({"": copy, **settings}, seed))


def require_able(recipe: "Sklearn", estimator: Any, task: Task) -> None:
    """Refuse an estimator that cannot answer what the task asks.

    Raises:
        RecipeError: with the way out.
    """
    from sklearn.base import is_classifier, is_regressor

    from everfit.training.fitted_estimator import is_classification

    kind, asked = type(estimator).__name__, type(task).__name__
    if is_classification(task):
        if is_regressor(estimator):
            raise RecipeError(
                f"recipe {recipe.name}: {kind} is a regressor, and {asked} asks for probabilities; use a classifier"
            )
        if not hasattr(estimator, "predict_proba"):
            raise RecipeError(
                f"recipe {recipe.name}: {kind} has no predict_proba, and {asked} asks for probabilities; "
                f"wrap the classifier in CalibratedClassifierCV(…), or use another"
            )
    elif is_classifier(estimator):
        raise RecipeError(f"recipe {recipe.name}: {kind} is a classifier, and {asked} asks for numbers; use a regressor")


def weights_named(recipe: "Sklearn", estimator: Any) -> str:
    """The name under which ``fit`` takes the rows' weights: of a Pipeline, those of its last step.

    Raises:
        RecipeError: when it takes none.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    path = []
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        path.append(name)
    if not has_fit_parameter(estimator, "sample_weight"):
        raise RecipeError(
            f"recipe {recipe.name}: {type(estimator).__name__} takes no sample_weight, and the model declares weights; "
            "use another estimator, or leave the weights out"
        )
    return "__".join([*path, "sample_weight"])


def settings_of(estimator: Any) -> dict[str, Any]:
    """The class, and every parameter by its path, as JSON can hold it: an object within is named by its class."""
    settings = {name: _recorded(value) for name, value in sorted(estimator.get_params(deep=True).items())}
    return {"estimator": _class(estimator), **settings}


def _recorded(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _recorded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_recorded(item) for item in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return _class(value)


def _class(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
