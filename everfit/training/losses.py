"""The losses that a ready recipe can minimise, and the rows' weights in them."""

from collections.abc import Collection
from typing import Literal

from everfit.declaration.fit_context import FitContext
from everfit.declaration.recipes import Recipe
from everfit.errors import DeclarationError, FeatureError
from everfit.training.arrays import Floats

SEVERAL = ("log_loss", "pinball")  # of answers of several numbers: the probabilities of classes, and quantiles

ClassWeight = Literal["balanced"]


def require_loss(recipe: Recipe, context: FitContext, losses: Collection[str]) -> None:
    """Refuse a task whose loss is none of these, or, where its answers are several numbers, of :data:`SEVERAL`.

    Raises:
        DeclarationError: with the loss, and those that there are.
        FeatureError: when the answers are of classes, and there are no labels of one.
    """
    task, names = context.task, context.task.score_names
    known, what = (SEVERAL, f" of answers of {len(names)} numbers") if names else (losses, "")
    if task.loss not in known:
        own = f"{type(recipe).__name__} minimises {' or '.join(known)}{what}"
        raise DeclarationError(f"{own}, not {task.loss!r} of {type(task).__name__}; use another recipe")
    if names and task.loss == "log_loss" and (seen := len(set(context.labels.tolist()))) != len(names):
        raise FeatureError(
            f"{len(context.labels)} rows hold {seen} of the {len(names)} classes of {type(task).__name__}; let its method "
            "reduced give the task of those that can be learnt"
        )


def weights_of(recipe: Recipe, class_weight: ClassWeight | None, context: FitContext) -> Floats | None:
    """The rows' weights float64[N] in the fit: the declared ones, times those that give every class the same sum.

    Raises:
        DeclarationError: when the labels are no classes.
    """
    if class_weight is None:
        return context.weights
    if context.task.loss != "log_loss":
        raise DeclarationError(
            f"{type(recipe).__name__}: class_weight={class_weight!r}, and {type(context.task).__name__} has no classes; leave "
            "it out, or weigh the rows by Model(weights=…)"
        )
    from sklearn.utils.class_weight import compute_sample_weight

    balanced: Floats = compute_sample_weight(class_weight, context.labels)
    return balanced if context.weights is None else balanced * context.weights
