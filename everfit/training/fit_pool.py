"""The fits of one training: each in a process of its own, as many at once as the machine has cores and memory for."""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psutil

from everfit.declaration.policies import TrainingWindow
from everfit.declaration.recipes import Recipe
from everfit.declaration.tasks import Task
from everfit.errors import RecipeError
from everfit.training.arrays import Features
from everfit.training.fit_place import FitPlace
from everfit.training.fit_process import FitLimits, FitProcess, load, packed
from everfit.training.recipe_fit import fit_recipe
from everfit.training.row_file import mapped
from everfit.training.row_weights import fit_weights

COPIES = 4  # of its rows that a fit may need, at most: by this, memory bounds how many run at once
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")

if TYPE_CHECKING:
    from everfit.training.checked_fit import CheckedFit

logger = logging.getLogger(__name__)


class FitPool:
    """Fits recipes on the rows of files. As a context manager it ends what still runs when its block is left."""

    def __init__(
        self, recipes: Iterable[Recipe], window: TrainingWindow, *, row_bytes: int = 1, memory_bytes: int | None = None
    ) -> None:
        """Let a process begin to load what the recipes need.

        Args:
            recipes: those that will be fitted.
            window: how long a fit may take, and the share of the memory that all may take.
            row_bytes: size of the largest rows that are fitted on.
            memory_bytes: of the machine; by default what it or its container has.
        """
        load(recipes)
        memory = memory_bytes or _memory_bytes()
        self.at_once = max(1, min(_cores(), memory // (COPIES * max(1, row_bytes))))
        self._limits = FitLimits(window.max_fit.total_seconds(), int(window.max_fit_memory * memory))
        self._slots = threading.BoundedSemaphore(self.at_once)
        self._here = threading.Lock()
        self._running: set[FitProcess] = set()
        self._closed = False

    def __enter__(self) -> "FitPool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._closed = True
        for process in list(self._running):
            process.kill()

    @contextmanager
    def fitted(
        self,
        recipe: Recipe,
        rows: Path,
        *,
        task: Task,
        features: Features,
        label: str,
        weights: Callable[[Any], Any] | None = None,
        place: FitPlace | None = None,
    ) -> "Iterator[CheckedFit | FitProcess]":
        """The recipe, fitted on the rows of an Arrow file as by :func:`everfit.training.recipe_fit.fit_recipe`.

        It answers while the block lasts. A recipe that another process cannot import is fitted in this one, and that is logged.

        Raises:
            RecipeError: when it takes longer or more memory than declared, or ends its process.
            Exception: what the fit raises.
        """
        counted = fit_weights(weights, mapped(rows), task)
        arguments: dict[str, Any] = {"task": task, "features": features, "label": label, "weights": counted, "place": place}
        with self._slots, self._process(recipe, arguments, rows.parent) as process:
            if process is None:
                with self._here:
                    fitted = fit_recipe(recipe, mapped(rows), **arguments)
                yield fitted
            else:
                process.fit(rows)
                yield process

    @contextmanager
    def _process(self, recipe: Recipe, arguments: dict[str, Any], folder: Path) -> Iterator[FitProcess | None]:
        """A process that has the recipe; None where none can import it."""
        try:
            content = packed(recipe, arguments | {"seconds": self._limits.seconds})
        except Exception as error:  # noqa: BLE001 - a user's object may refuse in any way
            _warn(recipe, f"{type(error).__name__}: {error}")
            yield None
            return
        process = FitProcess(recipe, content, folder, self._limits, self._running)
        self._running.add(process)
        try:
            self._require_open(recipe)
            unread = process.unread()
            if unread:
                _warn(recipe, unread)
            yield None if unread else process
        finally:
            self._running.discard(process)
            process.end()

    def _require_open(self, recipe: Recipe) -> None:
        if self._closed:
            raise RecipeError(f"recipe {recipe.name}: its training was ended before it was fitted; train again")


def _warn(recipe: Recipe, why: str) -> None:
    logger.warning(
        "recipe %s is fitted where nothing ends a fit that hangs: a process of its own cannot import it (%s); "
        "write it, and the functions that it is given, at the top level of a module",
        recipe.name,
        why,
    )


def _memory_bytes() -> int:
    """What the machine has, or its container may take."""
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(CONTAINER_LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return total


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
