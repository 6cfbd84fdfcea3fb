"""What may become the champion: a recipe, which is fitted on labelled rows and exports what it has learnt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BeforeValidator
from pydantic_core import PydanticSerializationError

from everfit.declaration.fit_context import FitContext, Floats
from everfit.declaration.part import Name, Part, call_fault, name_flaw
from everfit.declaration.views import Features

if TYPE_CHECKING:
    import polars as pl


@runtime_checkable
class Fitted(Protocol):
    """A fitted recipe: native answers, and the graph that gives the same.

    Where no graph can be, it has ``to_native()`` in place of ``to_onnx()``: an object with the same ``predict`` that skops can
    keep, of the recipe's :meth:`Recipe.trusted_types`. Such a version answers from a process of its own.
    """

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers of the task, float64[N].

        Raises:
            FeatureError: when a feature's column is missing or of a type that does not fit.
        """

    def to_onnx(self) -> bytes:
        """The graph that :mod:`everfit.training.artifact` describes."""


class Recipe(Part):
    """A way to make a model. A subclass declares its parameters as fields, which are recorded, and writes :meth:`fit`.

    Heavy packages are imported inside of :meth:`fit`: a declaration is read by every process. Where ``packages`` names them,
    they are loaded once for all fits of a training, each of which has a process of its own.
    """

    packages: ClassVar[tuple[str, ...]] = ()

    name: Name
    seed: int = 0

    def parameters(self) -> dict[str, Any]:
        """What is recorded with a version and tracked: the values of all fields, as JSON can hold them."""
        return self.model_dump(mode="json")

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> Fitted:
        """Fit on labelled rows in event order.

        Args:
            rows: one row an event, with a column for each feature; they are not changed.
            context: the task, the inputs, the labels, the weights, the seed, and where the fit keeps and reports how far it is.

        Raises:
            FeatureError: when a column is missing or of a wrong type, or nothing can be learnt from the rows.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method fit")

    def trusted_types(self) -> Sequence[str] | None:
        """Of a recipe whose fit has ``to_native()`` in place of ``to_onnx()``: the types within that object that are trusted.

        None, the default, for one that is exported; empty where it has none beyond those that skops trusts by itself.
        """
        return None

    def inputs_fault(self, features: Features) -> str:  # noqa: ARG002 - any inputs, unless a recipe says otherwise
        """Why it cannot be fitted on these inputs, and what to declare instead; empty where it can."""
        return ""


def _require_recipe(value: Any) -> Any:
    """Refuse what cannot be fitted, or whose parameters cannot be recorded."""
    if flaw := _flaw(value):
        raise ValueError(flaw)
    return value


def _flaw(value: Any) -> str | None:
    """Why a value is no recipe, and what to write instead; None for a recipe."""
    name = value.__name__ if isinstance(value, type) else type(value).__name__
    if isinstance(value, type):
        return f"{name} is a class; write {name}()"
    if not isinstance(value, Recipe):
        return f"{name} is no recipe; write a class on everfit.Recipe with a method fit(rows, context)"
    return _fit_flaw(value, name) or _record_flaw(value, name)


def _fit_flaw(recipe: Recipe, name: str) -> str | None:
    if type(recipe).fit is Recipe.fit:
        return f"{name} has no method fit; write fit(self, rows, context), which returns a Fitted"
    fault = call_fault(recipe.fit, "rows", "context")
    return f"{name}.fit cannot be called as fit(rows, context): {fault}" if fault else None


def _record_flaw(recipe: Recipe, name: str) -> str | None:
    if flaw := name_flaw(recipe.name):
        return f"{name} has the name {flaw}"
    try:
        recipe.model_dump(mode="json")
    except PydanticSerializationError as error:
        return f"{name} has a parameter that cannot be recorded as JSON: {error}"
    return None


def texts_fault(recipe: Recipe, features: Features) -> str:
    """Why a recipe that takes everything but texts cannot be fitted on these inputs; empty where it can."""
    texts = ", ".join(name for name, kind in features if kind == "text")
    named = f"{type(recipe).__name__} takes no text, and {texts} is one"
    return f"{named}; declare a candidate that does, such as Sklearn with a TfidfVectorizer on {texts}" if texts else ""


DeclaredRecipe = Annotated[Recipe, BeforeValidator(_require_recipe)]
