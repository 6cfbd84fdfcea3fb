"""One part of a loop fails, the others go on: its failure is written down, told, and tried again after a back-off.

What concerns everybody is no part's own failure and is raised on: a server that is away.
"""

import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TypeVar

import psycopg
import sqlalchemy as sa

from everfit.errors import ServiceError
from everfit.store import failures
from everfit.store.failures import Failure, Part, describe
from everfit.timing import wall_clock

RETRY_AFTER = timedelta(seconds=30)
EVERYBODYS = {"08", "40", "53", "57", "58"}  # classes of SQLSTATE: connection, rollback, resources, operator, system

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Isolation:
    """Runs parts of a loop, each so that its failure is its own; built once a pass, from what is set aside by then."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        with engine.connect() as connection:
            self._failing = {failure.part: failure for failure in failures.listed(connection)}

    def failure(self, part: Part) -> Failure | None:
        """What is known of a part that is set aside."""
        return self._failing.get(part)

    def waits(self, part: Part) -> bool:
        """Whether it failed, and its back-off is not over."""
        failure = self._failing.get(part)
        return failure is not None and wall_clock() < failure.retry_at

    def attempt(self, part: Part, work: Callable[[], T], *, retry_after: timedelta = RETRY_AFTER) -> T | None:
        """The work's result; None where it failed now, or failed before and still waits.

        Raises:
            ServiceError: and whatever else is everybody's failure.
        """
        if self.waits(part):
            return None
        try:
            done = work()
        except Exception as error:
            if is_everybodys(error):
                raise
            self.failed(part, error, retry_after=retry_after)
            return None
        self.passed(part)
        return done

    def failed(self, part: Part, error: BaseException | str, *, retry_after: timedelta = RETRY_AFTER) -> Failure:
        """Write down that a part failed."""
        said = error if isinstance(error, str) else describe(error)
        before, now = self._failing.get(part), wall_clock()
        failure = before.again(said, now, retry_after) if before else failures.first(part, said, now, retry_after)
        cause = error if isinstance(error, BaseException) else None
        logger.error("%s: %s is set aside, attempt %d: %s", part.model, part, failure.attempts, said, exc_info=cause)
        with self._engine.begin() as connection:
            failures.save(connection, failure)
        self._failing[part] = failure
        return failure

    def passed(self, part: Part) -> None:
        """It works, or works again."""
        if self._failing.pop(part, None):
            logger.info("%s: %s works again", part.model, part)
            with self._engine.begin() as connection:
                failures.clear(connection, [part])

    def forget_others(self, models: Collection[str]) -> None:
        """Nothing stays set aside of a model that is not declared any more."""
        gone = [part for part in self._failing if part.model and part.model not in models and part.stage != "declaration"]
        for part in gone:
            del self._failing[part]
        if gone:
            with self._engine.begin() as connection:
                failures.clear(connection, gone)

    def settle(self, stage: str, current: dict[Part, str]) -> None:
        """Write down what fails of a whole stage now; what of it was set aside before and does not fail any more has passed."""
        for part, error in current.items():
            before = self._failing.get(part)
            if before is None or before.error != failures.storable(error)[: failures.ERROR_CHARACTERS]:
                self.failed(part, error)
        for part in [part for part in self._failing if part.stage == stage and part not in current]:
            self.passed(part)


def is_everybodys(error: BaseException) -> bool:
    """Whether a failure concerns more than the part that met it: a server that is away, full, or restarts."""
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(cause, psycopg.Error):
        state = cause.sqlstate
        return state[:2] in EVERYBODYS if state else isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return isinstance(cause, ServiceError | sa.exc.TimeoutError)
