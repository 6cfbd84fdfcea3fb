"""What CatBoost's estimators need before a fit: its own names for one thread and the seed, and inputs that it can export."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from everfit.declaration.input_kinds import WORDS
from everfit.errors import RecipeError
from everfit.training.arrays import Features

if TYPE_CHECKING:
    from everfit.training.sklearn_recipe import Sklearn

SEEDS = {"random_seed", "random_state"}
TALK = {"verbose", "silent", "logging_level", "verbose_eval"}
NOT_EXPORTED = ("cat_features", "text_features", "embedding_features")


def catboost_changes(parts: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What is set on CatBoost's estimators among these objects, by path: they write no files, and nothing to the output."""
    changes: dict[str, Any] = {}
    for path, part in parts.items():
        if _is_catboost(part):
            given = part.get_params().keys()
            own: dict[str, Any] = {"thread_count": 1, "allow_writing_files": False}
            own |= {} if SEEDS & given else {"random_seed": seed}
            own |= {} if TALK & given else {"logging_level": "Silent"}
            changes |= {f"{path}__{name}" if path else name: value for name, value in own.items()}
    return changes


def require_numeric(recipe: "Sklearn", estimator: Any, features: Features) -> None:
    """Refuse an estimator of CatBoost that gets categories or texts: it exports numbers alone.

    Raises:
        RecipeError: with the way out.
    """
    words = [name for name, kind in features if kind in WORDS] if _is_catboost(estimator) else []
    for part in [estimator, *estimator.get_params(deep=True).values()]:
        if _is_catboost(part):
            words += [f"{name}={part.get_params()[name]}" for name in NOT_EXPORTED if part.get_params().get(name)]
    if words:
        raise RecipeError(
            f"recipe {recipe.name}: CatBoost exports numeric features only, and gets {', '.join(words)}; make a "
            "ColumnTransformer with OneHotEncoder or TargetEncoder the first step of a Pipeline, and CatBoost the last"
        )


def _is_catboost(part: Any) -> bool:
    return type(part).__module__.partition(".")[0] == "catboost" and hasattr(part, "get_params")
