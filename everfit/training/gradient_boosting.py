"""Gradient boosting by scikit-learn, as a recipe."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from everfit.declaration.fit_context import FitContext
from everfit.declaration.part import Name
from everfit.declaration.recipes import Recipe, texts_fault
from everfit.declaration.views import Features

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.tree_ensemble import FittedTrees


class GradientBoosting(Recipe):
    """scikit-learn's ``HistGradientBoostingClassifier``, or ``HistGradientBoostingRegressor`` with the loss of the task.

    Quantiles have trees of their own each.

    Attributes:
        early_stopping: after so many trees without a better loss on the newest tenth of the rows no more are tried, and the
            number with the best is learnt from all rows; None learns ``trees``.
        class_weight: ``"balanced"`` gives every class the same sum of weights; others are declared by ``Model(weights=…)``.
        monotone: of a number, whether the answer may only rise with it, 1, or only fall, -1.
    """

    packages: ClassVar[tuple[str, ...]] = ("sklearn.ensemble", "everfit.training.tree_ensemble")
    name: Name = "gradient_boosting"
    trees: int = Field(100, ge=1, le=5_000)
    leaves: int = Field(15, ge=2, le=255)
    learning_rate: float = Field(0.1, gt=0, le=1)
    min_leaf_rows: int = Field(20, ge=1)
    l2: float = Field(0.0, ge=0)
    early_stopping: int | None = Field(None, ge=1)
    class_weight: Literal["balanced"] | None = None
    monotone: Mapping[str, Literal[-1, 1]] = Field({})

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> "FittedTrees":
        """Fit on rows in their order; categories are split natively, unknown ones go where missing ones go.

        Raises:
            DeclarationError: when it has no loss by the name of the task's, or another setting does not suit the task.
            FeatureError: when a column is missing or of a wrong type, or the older rows are too few to stop early.
        """
        from everfit.training.boosted_trees import boosted

        return boosted(self, rows, context)

    def inputs_fault(self, features: Features) -> str:
        """It takes no texts; only numbers and flags can be monotone."""
        kinds = dict(features)
        for name in self.monotone:
            if kinds.get(name) not in ("number", "flag"):
                found = f"is a {kinds[name]}" if name in kinds else f"is none of {', '.join(kinds)}"
                return f"monotone names {name!r}, which {found}; name a number"
        return texts_fault(self, features)
