"""The losses that a ready recipe can minimise."""

from collections.abc import Collection

from everfit.declaration.recipes import Recipe
from everfit.declaration.tasks import Task
from everfit.errors import DeclarationError


def require_loss(recipe: Recipe, task: Task, losses: Collection[str]) -> None:
    """Refuse a task whose loss is none of these, or whose answers are several numbers.

    Raises:
        DeclarationError: with the loss, and those that there are.
    """
    if names := task.score_names:
        several = f"{len(names)} numbers a row ({', '.join(names)})"
        raise DeclarationError(
            f"{type(recipe).__name__} learns one, {type(task).__name__} answers {several}; use another recipe"
        )
    if task.loss not in losses:
        own = f"{type(recipe).__name__} minimises {' or '.join(losses)}"
        raise DeclarationError(f"{own}, not {task.loss!r} of {type(task).__name__}; use another recipe")
