"""Alerts: what is wrong, since when, and when it was last sent. They outlive the process that sends them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.store import locks
from everfit.store.failures import storable
from everfit.store.tables import alerts

GIVEN_UP_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Alert:
    """A cause of a model (empty: of all). ``count`` is how often it was sent, ``tried_at`` when sending last failed."""

    model: str
    cause: str
    message: str
    first_at: datetime
    last_sent_at: datetime | None = None
    tried_at: datetime | None = None
    count: int = 0
    resolved_at: datetime | None = None

    @property
    def family(self) -> str:
        """The kind of the cause."""
        return self.cause.partition(":")[0]


@contextmanager
def exclusive(connection: sa.Connection) -> Iterator[bool]:
    """Whether the lock on sending alerts was acquired; if so, it is held during the block."""
    acquired = bool(connection.execute(sa.select(sa.func.pg_try_advisory_lock(locks.ALERTS))).scalar())
    try:
        yield acquired
    finally:
        connection.rollback()
        if acquired:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(locks.ALERTS)))
            connection.commit()


def unfinished(connection: sa.Connection, now: datetime) -> Sequence[Alert]:
    """The alerts that are open, and those whose last notice was not accepted.

    The end of an alert that nobody has tried to report for a day is reported no more.
    """
    columns = [alerts.c[name] for name in Alert.__slots__]
    wanted = sa.or_(alerts.c.resolved_at.is_(None), alerts.c.last_sent_at.is_(None), alerts.c.tried_at > now - GIVEN_UP_AFTER)
    query = sa.select(*columns).where(wanted).order_by(alerts.c.first_at)
    return [Alert(*row) for row in connection.execute(query)]


def save(connection: sa.Connection, changed: Sequence[Alert]) -> None:
    """Write alerts in their present state; an ended alert is opened again in its row."""
    for alert in changed:
        values = {name: getattr(alert, name) for name in Alert.__slots__} | {"message": storable(alert.message)}
        written = insert(alerts).values(values)
        connection.execute(written.on_conflict_do_update(index_elements=["model", "cause"], set_=values))


def recorded_causes(connection: sa.Connection, causes: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these causes (model, cause) have a row, open or ended."""
    if not causes:
        return set()
    query = sa.select(alerts.c.model, alerts.c.cause).where(sa.tuple_(alerts.c.model, alerts.c.cause).in_(list(causes)))
    return {(row.model, row.cause) for row in connection.execute(query)}
