"""Fits the comparators that were asked for, one after the other: ``python -m monitors.comparator_worker``.

It stays for a while after the last, so that the next finds it warm, and ends. Killed at any moment, it leaves a comparator
that waits as before.
"""

import logging
import os
import signal
import threading
import time
from pathlib import Path

from everfit.declaration import Model
from everfit.environment.project_folder import put_behind
from everfit.errors import RecipeError
from everfit.pipeline.comparator_fit import fit_comparator
from everfit.pipeline.fresh_answers import FittedComparator
from everfit.runtime import Runtime
from everfit.store import comparators
from everfit.store.comparators import Comparator
from everfit.store.failures import describe
from everfit.store.isolation import is_shared
from everfit.timing import format_time
from monitors.attempts import is_of_a_disk

IDLE_SECONDS = 60.0  # without work, until it ends
LOOK_SECONDS = 0.25  # between two looks for work
RETRY_SECONDS = 10.0  # after a failure that is no comparator's
NICENESS = 5  # behind serving and the tick
ATTEMPTS = 3  # a fit that ends the process so often is given up

logger = logging.getLogger(__name__)


def work(runtime: Runtime, stop: threading.Event, idle_seconds: float = IDLE_SECONDS) -> None:
    """Fit what waits, until ``stop`` is set or nothing has waited for so long."""
    worked_at = time.monotonic()
    while not stop.is_set() and time.monotonic() - worked_at < idle_seconds:
        try:
            found = fit_next(runtime)
        except Exception as error:
            if not _is_of_the_machine(error):
                raise
            logger.warning("no comparator is fitted for %.0f s: %s", RETRY_SECONDS, describe(error))
            stop.wait(RETRY_SECONDS)
            found = True
        if found:
            worked_at = time.monotonic()
        else:
            stop.wait(LOOK_SECONDS)


def fit_next(runtime: Runtime) -> bool:
    """Fit the newest comparator that waits, and record it or why it failed; False where none waits.

    Raises:
        Exception: a failure that concerns all, such as a full disk; the comparator waits as before.
    """
    with comparators.taken(runtime.engine, runtime.models) as asked:
        if asked:
            _fit(runtime, runtime.models[asked.model], asked)
        return asked is not None


def _fit(runtime: Runtime, model: Model, asked: Comparator) -> None:
    window = f"{model.name}: the comparator of the window from {format_time(asked.start)}"
    try:
        fitted = _fitted(runtime, model, asked)
    except Exception as error:
        if _is_of_the_machine(error):
            raise
        logger.exception("%s cannot be fitted", window)
        with runtime.engine.begin() as connection:
            comparators.end_failed(connection, asked.id, describe(error))
        return
    kept = runtime.lake.put_json(fitted)
    with runtime.engine.begin() as connection:
        comparators.end_fitted(connection, asked.id, kept, fitted.fit_seconds)
    logger.info("%s is fitted on %d rows in %.1f s", window, fitted.rows, fitted.fit_seconds)


def _fitted(runtime: Runtime, model: Model, asked: Comparator) -> FittedComparator:
    if asked.attempts > ATTEMPTS:
        raise RecipeError(f"its process ended {ATTEMPTS} times while it was fitted")
    return fit_comparator(runtime, model, asked)


def _is_of_the_machine(error: Exception) -> bool:
    """Whether it is no fault of a model: a server, a disk or the memory fails."""
    return is_shared(error) or is_of_a_disk(error) or isinstance(error, MemoryError)


def main() -> None:
    """Work until SIGTERM, or until nothing waits."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    os.nice(NICENESS)
    put_behind(Path.cwd())
    with Runtime.load() as runtime:
        work(runtime, stop)


if __name__ == "__main__":
    main()
