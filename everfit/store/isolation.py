"""Isolation of failures: a part of a loop that fails is recorded and retried after a back-off, while the others go on.

A failure that concerns all parts, such as an unreachable server, is raised instead.
"""

import errno
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
MACHINE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
}  # a disk, or no files left
SHARED_SQLSTATES = {"08", "40", "53", "57", "58"}  # classes of SQLSTATE: connection, rollback, resources, operator, system

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Isolation:
    """Runs parts of a loop so that a failure affects only its part; built once per pass, from the recorded failures."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        with engine.connect() as connection:
            self._failing = {failure.part: failure for failure in failures.listed(connection)}

    def failure(self, part: Part) -> Failure | None:
        """The recorded failure of a part, if there is one."""
        return self._failing.get(part)

    def waits(self, part: Part) -> bool:
        """Whether it failed and its back-off has not ended."""
        failure = self._failing.get(part)
        return failure is not None and wall_clock() < failure.retry_at

    def attempt(self, part: Part, work: Callable[[], T], *, retry_after: timedelta = RETRY_AFTER) -> T | None:
        """The work's result; None where it fails now, or failed before and still waits.

        Raises:
            Exception: a failure that concerns all parts, such as a ServiceError.
        """
        if self.waits(part):
            return None
        try:
            done = work()
        except Exception as error:
            if is_shared(error):
                raise
            self.failed(part, error, retry_after=retry_after)
            return None
        self.passed(part)
        return done

    def failed(self, part: Part, error: BaseException | str, *, retry_after: timedelta = RETRY_AFTER) -> Failure:
        """Record that a part failed."""
        message = error if isinstance(error, str) else describe(error)
        before, now = self._failing.get(part), wall_clock()
        failure = before.again(message, now, retry_after) if before else failures.first(part, message, now, retry_after)
        cause = error if isinstance(error, BaseException) else None
        logger.error(
            "%s: %s failed and is isolated, attempt %d: %s", part.model, part, failure.attempts, message, exc_info=cause
        )
        with self._engine.begin() as connection:
            failures.save(connection, failure)
        self._failing[part] = failure
        return failure

    def passed(self, part: Part) -> None:
        """Record that a part works."""
        if self._failing.pop(part, None):
            logger.info("%s: %s works again", part.model, part)
            with self._engine.begin() as connection:
                failures.clear(connection, [part])

    def forget_others(self, models: Collection[str]) -> None:
        """Remove the failures of models that are not declared any more."""
        gone = [part for part in self._failing if part.model and part.model not in models and part.stage != "declaration"]
        for part in gone:
            del self._failing[part]
        if gone:
            with self._engine.begin() as connection:
                failures.clear(connection, gone)

    def update_stage(self, stage: str, current: dict[Part, str]) -> None:
        """Record the present failures of a whole stage, and remove its recorded failures that are not among them."""
        for part, error in current.items():
            before = self._failing.get(part)
            if before is None or before.error != failures.storable(error)[: failures.ERROR_CHARACTERS]:
                self.failed(part, error)
        for part in [part for part in self._failing if part.stage == stage and part not in current]:
            self.passed(part)


def is_shared(error: BaseException) -> bool:
    """Whether a failure concerns all parts: a server that is unreachable, full or restarting."""
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(cause, psycopg.Error):
        state = cause.sqlstate
        return state[:2] in SHARED_SQLSTATES if state else isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return isinstance(cause, ServiceError | sa.exc.TimeoutError)
