"""Failures: a part of a model that failed and is isolated, since when, why, and when it is retried. Times are wall clock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.store.tables import failures

LONGEST = timedelta(hours=1)  # between two attempts: what was corrected goes on within the hour
DOUBLINGS = 16  # a second becomes more than LONGEST by then
ERROR_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Part:
    """What can fail alone: a model (empty where none is concerned), a stage of its loop, and a window, day or request."""

    model: str
    stage: str
    name: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, [self.stage, self.name]))


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that failed ``attempts`` times in a row; ``error`` is that of the newest attempt."""

    part: Part
    error: str
    first_at: datetime
    last_at: datetime
    retry_at: datetime
    attempts: int = 1

    def again(self, error: str, now: datetime, retry_after: timedelta) -> "Failure":
        """The failure after a further attempt: each wait is twice the previous, at most :data:`LONGEST`."""
        waiting = min(retry_after * 2 ** min(self.attempts, DOUBLINGS), LONGEST)
        return replace(self, error=error, last_at=now, retry_at=now + waiting, attempts=self.attempts + 1)


def first(part: Part, error: str, now: datetime, retry_after: timedelta) -> Failure:
    """The failure of a part that failed for the first time."""
    return Failure(part, error, now, now, now + retry_after)


def listed(connection: sa.Connection) -> Sequence[Failure]:
    """All failures, oldest first."""
    columns = failures.c
    query = sa.select(failures).order_by(columns.first_at, columns.model, columns.stage, columns.part)
    return [
        Failure(Part(row.model, row.stage, row.part), row.error, row.first_at, row.last_at, row.retry_at, row.attempts)
        for row in connection.execute(query)
    ]


def save(connection: sa.Connection, failure: Failure) -> None:
    """Write a failure, or its new state."""
    key = {"model": failure.part.model, "stage": failure.part.stage, "part": failure.part.name}
    fields = {name: getattr(failure, name) for name in ("first_at", "last_at", "retry_at", "attempts")}
    values = fields | {"error": storable(failure.error)[:ERROR_CHARACTERS]}
    written = insert(failures).values(key | values)
    connection.execute(written.on_conflict_do_update(index_elements=list(key), set_=values))


def clear(connection: sa.Connection, parts: Collection[Part]) -> None:
    """Remove the failures of parts that work again."""
    keys = [(part.model, part.stage, part.name) for part in parts]
    columns = failures.c
    if keys:
        connection.execute(sa.delete(failures).where(sa.tuple_(columns.model, columns.stage, columns.part).in_(keys)))


def describe(error: BaseException) -> str:
    """An exception as one line of text: its class and the first line of its message."""
    lines = str(error).strip().splitlines()
    return storable(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)[:ERROR_CHARACTERS]


def storable(text: str) -> str:
    """Text that Postgres can store: a message may quote arbitrary bytes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
