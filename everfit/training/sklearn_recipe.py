"""Any estimator with scikit-learn's interface, as a recipe: its own, LightGBM's, XGBoost's, and Pipelines of them."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic import field_serializer, field_validator

from everfit.declaration.fit_context import FitContext
from everfit.declaration.part import call_fault
from everfit.declaration.recipes import Recipe
from everfit.declaration.views import Features

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.fitted_estimator import FittedEstimator


class Sklearn(Recipe):
    """``Sklearn("forest", make)``: an estimator or Pipeline, or, so that nothing heavy is imported before, a function of it.

    It is fitted on a pandas frame whose columns are the features by name: numbers and flags as float32 with NaN for null,
    categories and texts as text with ``""`` for null, and each component of a vector as a number of its own, ``name_0`` and on.
    An unfitted copy is fitted each time, on one thread, with the seed as each ``random_state`` that is no number.

    ``native=[…]`` is for what cannot be exported: it is kept by skops and answers from a process of its own, and these are the
    types within it that are trusted, such as ``"sklearn.tree._tree.Tree"``, beside those that skops trusts by itself.
    """

    make: Any
    native: tuple[str, ...] | None = None

    def __init__(self, name: str, make: Any, **fields: Any) -> None:
        super().__init__(**{"name": name, "make": make, **fields})

    @field_validator("make")
    @classmethod
    def _makes_an_estimator(cls, make: Any) -> Any:
        if _is_estimator(make):
            return make
        if not callable(make):
            raise ValueError(  # noqa: TRY004 - pydantic takes ValueErrors for mistakes of the user's
                f"{make!r} is no estimator and no function; give an estimator, or a function that returns one"
            )
        if fault := call_fault(make):
            raise ValueError(f"{make.__name__} cannot be called as {make.__name__}(): {fault}")
        return make

    @field_validator("native", mode="before")
    @classmethod
    def _names_types(cls, native: Any) -> Any:
        flawed = [native] if isinstance(native, str) else [each for each in native or () if not _is_path(each)]
        if flawed:
            raise ValueError(f'{flawed[0]!r} names no types; write native=["module.Type", …], or [] where none is needed')
        return native

    @field_serializer("make")
    def _recorded_make(self, make: Any) -> Any:
        from everfit.training.estimator_settings import settings_of

        return settings_of(make) if _is_estimator(make) else f"{make.__module__}.{make.__qualname__}"

    def parameters(self) -> dict[str, Any]:
        """What is recorded with a version: the settings of the estimator and of all within it, by their paths.

        Of a function that fails, its name: the fit fails by it, too, and is set aside alone.
        """
        from everfit.training.estimator_settings import made, settings_of

        try:
            return super().parameters() | {"make": settings_of(made(self))}
        except Exception:  # noqa: BLE001 - a user's function may raise anything
            return super().parameters()

    def trusted_types(self) -> tuple[str, ...] | None:
        """The types that ``native`` names."""
        return self.native

    def inputs_fault(self, features: Features) -> str:
        """Two features whose columns would have one name."""
        from everfit.training.estimator_inputs import columns_of

        names = Counter(name for name, _ in columns_of(features))
        twice = next((name for name, count in names.items() if count > 1), "")
        return twice and f"{twice} is a feature and a component of a vector; rename one of them"

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> "FittedEstimator":
        """Fit a copy of the estimator.

        Raises:
            FeatureError: when a column is missing or of a wrong type.
            RecipeError: when the estimator cannot do what the task asks, or takes no weights where the model has them.
        """
        from everfit.training.catboost_settings import require_numeric
        from everfit.training.estimator_inputs import inputs_of
        from everfit.training.estimator_settings import made, prepared, require_able, weights_named
        from everfit.training.fitted_estimator import FittedEstimator, is_classification, one_thread

        declared = made(self)
        require_numeric(self, declared, context.features)
        estimator = prepared(declared, context.seed)
        require_able(self, estimator, context.task)
        inputs = inputs_of(context.features, rows)
        labels = context.labels.astype("int64") if is_classification(context.task) else context.labels.copy()
        weights = {} if context.weights is None else {weights_named(self, estimator): context.weights.copy()}
        with one_thread():
            estimator.fit(inputs, labels, **weights)
        return FittedEstimator(self.name, context.features, context.task, estimator)


def _is_path(name: Any) -> bool:
    return isinstance(name, str) and "." in name and all(part.isidentifier() for part in name.split("."))


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "fit") and hasattr(value, "get_params") and not isinstance(value, type)
