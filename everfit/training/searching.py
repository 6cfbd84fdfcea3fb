"""A search as a recipe: ``Search(recipe, over={…}, trials=…, within="10m")``."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, SerializeAsAny, field_serializer, field_validator, model_validator

from everfit.declaration.fit_context import FitContext
from everfit.declaration.recipes import DeclaredRecipe, Fitted, Recipe
from everfit.declaration.views import Features
from everfit.timing import Duration, format_duration
from everfit.training.search_space import ends, flaw

if TYPE_CHECKING:
    import polars as pl


class Search(Recipe):
    """A recipe with the settings that do best on rolling origins before the days that the gate judges by.

    ``over`` gives for each setting a range ``(low, high)``, ``(low, high, "log")``, or a list of choices. The search ends after
    so many ``trials``, or after the trial in which ``within`` has passed. The champion's settings are tried first, where a
    search of the same name has found them.
    """

    recipe: SerializeAsAny[DeclaredRecipe]
    over: dict[str, tuple[Any, ...] | list[Any]] = Field(min_length=1)
    trials: int = Field(20, ge=1, le=10_000)
    within: Duration | None = None

    def __init__(self, recipe: Recipe, **values: Any) -> None:
        values.setdefault("name", f"{getattr(recipe, 'name', 'recipe')}_search")
        super().__init__(**{"recipe": recipe, **values})

    @field_serializer("over")
    def _written(self, over: dict[str, Any]) -> dict[str, str]:
        return {name: str(values) for name, values in over.items()}

    @field_validator("within")
    @classmethod
    def _takes_time(cls, within: timedelta | None) -> timedelta | None:
        if within is not None and within <= timedelta():
            raise ValueError(
                f"{format_duration(within)} is no time to search in; write a duration such as '10m', or leave it out"
            )
        return within

    @model_validator(mode="after")
    def _over_fits(self) -> Self:
        if isinstance(self.recipe, Search):
            raise ValueError(  # noqa: TRY004 - pydantic words it as a declaration's mistake
                f"recipe: {self.recipe.name} is a search itself; search over the recipe within it"
            )
        fields = [name for name in type(self.recipe).model_fields if name not in ("name", "seed")]
        for name, values in self.over.items():
            if name not in fields:
                raise ValueError(f"over: {self.recipe.name} has no setting {name!r}; it has {', '.join(fields)}")
            if wrong := flaw(values):
                raise ValueError(f"over: {name}: {wrong}")
            for value in ends(values):
                self.with_params({name: value})
        return self

    def parameters(self) -> dict[str, Any]:
        """What is recorded: the space, the limits, and the settings of the recipe."""
        return super().parameters() | {"recipe": self.recipe.parameters()}

    def with_params(self, params: dict[str, Any]) -> Recipe:
        """The recipe with these settings, under the search's name and seed."""
        return type(self.recipe)(**{**dict(self.recipe), **params, "name": self.name, "seed": self.seed})

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> Fitted:
        """A fit with the recipe's own settings: a training searches first, and then fits with what it has found."""
        return self.recipe.fit(rows, context)

    def trusted_types(self) -> Sequence[str] | None:
        """Those of the recipe."""
        return self.recipe.trusted_types()

    def inputs_fault(self, features: Features) -> str:
        """That of the recipe."""
        return self.recipe.inputs_fault(features)
