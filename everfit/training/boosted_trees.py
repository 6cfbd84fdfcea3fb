"""The fit of :class:`everfit.training.gradient_boosting.GradientBoosting`: one ensemble, or one for each quantile.

Shapes: N rows; inputs float64[N, Dc + Dn], labels float64[N], weights float64[N] or None.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.declaration.fit_context import FitContext
from everfit.declaration.input_kinds import NUMERIC
from everfit.errors import DeclarationError, FeatureError
from everfit.training.arrays import Floats, names_of, split, with_components
from everfit.training.early_stopping import older
from everfit.training.encoding import Encoding
from everfit.training.losses import require_loss, weights_of
from everfit.training.tree_ensemble import FittedTrees, columns, one_thread

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.gradient_boosting import GradientBoosting

LOSSES = ("log_loss", "squared_error", "absolute_error", "poisson", "gamma")  # those of scikit-learn without a parameter
MONOTONE = ("log_loss", "squared_error", "poisson", "gamma")  # leaves of others are moved after their trees have grown


def boosted(recipe: "GradientBoosting", rows: "pl.DataFrame", context: FitContext) -> FittedTrees:
    """As :meth:`everfit.training.gradient_boosting.GradientBoosting.fit`."""
    task = context.task
    require_loss(recipe, context, LOSSES)
    weights = weights_of(recipe, recipe.class_weight, context)
    numbers, categories = with_components(split(context.features, rows))
    encoding = Encoding.fit(numbers, categories)
    numbers[:, ~np.isfinite(numbers).any(axis=0)] = 0.0  # nothing is split on what holds nothing
    inputs = columns(encoding, numbers, categories)
    losses: list[tuple[str, dict[str, float]]] = [(task.loss, {})]
    if task.loss == "pinball":
        losses = [("quantile", {"quantile": float(level)}) for level in task.score_names]
    with one_thread():
        estimators = [_fitted(recipe, context, inputs, weights, loss=loss, **more) for loss, more in losses]
    return FittedTrees(context.features, task, encoding, estimators)


def _fitted(recipe: "GradientBoosting", context: FitContext, inputs: Floats, weights: Floats | None, **loss: Any) -> Any:
    estimator = _estimator(recipe, context, inputs.shape[1], **loss)
    if recipe.early_stopping is not None:
        trees = _best_trees(recipe, context, inputs, weights, **loss)
        estimator.set_params(max_iter=trees)
    return estimator.fit(inputs, context.labels, sample_weight=weights)


def _best_trees(recipe: "GradientBoosting", context: FitContext, inputs: Floats, weights: Floats | None, **loss: Any) -> int:
    """The number of trees, learnt from the older rows, by which the newest are predicted best."""
    known = older(len(inputs))
    labels, newer = context.labels, np.arange(known, len(inputs))
    if context.task.loss == "log_loss":
        newer = newer[np.isin(labels[newer], labels[:known])]
        if (classes := len(np.unique(labels[:known]))) < 2 or not len(newer):
            held = f"of {len(inputs)} rows the older {known} hold {classes} of the classes"
            raise FeatureError(
                f"recipe {recipe.name}: {held}, and {len(newer)} of the newer are of these, too few "
                "to stop early by; leave early_stopping out, or learn from a longer history"
            )
    estimator = _estimator(recipe, context, inputs.shape[1], **loss)
    estimator.set_params(early_stopping=True, n_iter_no_change=recipe.early_stopping, tol=0.0)
    older_weights, newer_weights = (None, None) if weights is None else (weights[:known], weights[newer])
    estimator.fit(
        inputs[:known],
        labels[:known],
        sample_weight=older_weights,
        X_val=inputs[newer],
        y_val=labels[newer],
        sample_weight_val=newer_weights,
    )
    return max(1, int(np.argmax(estimator.validation_score_)))


def _estimator(recipe: "GradientBoosting", context: FitContext, width: int, **loss: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    categories = len(names_of(context.features, "category"))
    kind = HistGradientBoostingClassifier if context.task.loss == "log_loss" else HistGradientBoostingRegressor
    return kind(
        learning_rate=recipe.learning_rate,
        max_iter=recipe.trees,
        max_leaf_nodes=recipe.leaves,
        min_samples_leaf=recipe.min_leaf_rows,
        l2_regularization=recipe.l2,
        monotonic_cst=_directions(recipe, context, categories, width) if recipe.monotone else None,
        categorical_features=list(range(categories)) or None,
        early_stopping=False,
        random_state=context.seed,
        **loss,
    )


def _directions(recipe: "GradientBoosting", context: FitContext, categories: int, width: int) -> Any:
    """Of each column whether the answer rises with it, 1, falls, -1, or either, 0; int[Dc + Dn]."""
    task = context.task
    if task.score_names or task.loss not in MONOTONE:
        several = f" of {len(task.score_names)} numbers" if task.score_names else ""
        asked = f"{type(task).__name__} asks for {task.loss_name}{several}"
        raise DeclarationError(
            f"recipe {recipe.name}: scikit-learn keeps an answer monotone by {', '.join(MONOTONE)} of one number, and {asked}; "
            "leave monotone out"
        )
    directions = np.zeros(width, dtype=int)
    for at, name in enumerate(names_of(context.features, *NUMERIC), start=categories):
        directions[at] = recipe.monotone.get(name, 0)
    return directions
