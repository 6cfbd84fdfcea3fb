"""Gradient boosting by scikit-learn, as a recipe."""

from typing import TYPE_CHECKING

from pydantic import Field

from everfit.declaration.fit_context import FitContext
from everfit.declaration.part import Name
from everfit.declaration.recipes import Recipe, texts_fault
from everfit.declaration.views import Features

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.tree_ensemble import FittedTrees


LOSSES = ("log_loss", "squared_error", "absolute_error", "poisson", "gamma")  # those of scikit-learn without a parameter


class GradientBoosting(Recipe):
    """scikit-learn's ``HistGradientBoostingClassifier``, or ``HistGradientBoostingRegressor`` with the loss of the task."""

    name: Name = "gradient_boosting"
    trees: int = Field(100, ge=1, le=5_000)
    leaves: int = Field(15, ge=2, le=255)
    learning_rate: float = Field(0.1, gt=0, le=1)
    min_leaf_rows: int = Field(20, ge=1)
    l2: float = Field(0.0, ge=0)

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> "FittedTrees":
        """Fit on rows in their order; categories are split natively, unknown ones go where missing ones go.

        Raises:
            DeclarationError: when it has no loss by the name of the task's.
        """
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        from everfit.training.arrays import split, with_components
        from everfit.training.encoding import Encoding
        from everfit.training.losses import require_loss
        from everfit.training.tree_ensemble import FittedTrees, columns, one_thread

        require_loss(self, context.task, LOSSES)
        numbers, categories = with_components(split(context.features, rows))
        encoding = Encoding.fit(numbers, categories)
        numbers = np.where(np.isfinite(numbers).any(axis=0), numbers, 0.0)  # nothing is split on what holds nothing
        kind = HistGradientBoostingClassifier if context.task.loss == "log_loss" else HistGradientBoostingRegressor
        estimator = kind(
            loss=context.task.loss,
            learning_rate=self.learning_rate,
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.min_leaf_rows,
            l2_regularization=self.l2,
            categorical_features=list(range(categories.shape[1])) or None,
            early_stopping=False,
            random_state=context.seed,
        )
        with one_thread():
            estimator.fit(columns(encoding, numbers, categories), context.labels, sample_weight=context.weights)
        return FittedTrees(context.features, context.task, encoding, estimator)

    def inputs_fault(self, features: Features) -> str:
        """It takes no texts."""
        return texts_fault(self, features)
