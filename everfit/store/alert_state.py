"""Alerts: what is wrong, since when, and when somebody was last told. They outlive the process that tells."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.store.failures import storable
from everfit.store.tables import alerts

LOCK = 0x616C657274  # "alert": the number of the advisory lock


@dataclass(frozen=True, slots=True)
class Alert:
    """One cause of one model (empty: of all). ``count`` is how often it was sent, ``tried_at`` when nobody took it."""

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
        """What kind of cause it is."""
        return self.cause.partition(":")[0]


@contextmanager
def alone(connection: sa.Connection) -> Iterator[bool]:
    """Whether nobody else is telling right now; if so, nobody else is within the block."""
    held = bool(connection.execute(sa.select(sa.func.pg_try_advisory_lock(LOCK))).scalar())
    try:
        yield held
    finally:
        connection.rollback()
        if held:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(LOCK)))
            connection.commit()


def unsettled(connection: sa.Connection) -> Sequence[Alert]:
    """Those that are open, and those that are over and were not told yet."""
    columns = [alerts.c[name] for name in Alert.__slots__]
    wanted = sa.or_(alerts.c.resolved_at.is_(None), alerts.c.last_sent_at.is_(None))
    query = sa.select(*columns).where(wanted).order_by(alerts.c.first_at)
    return [Alert(*row) for row in connection.execute(query)]


def save(connection: sa.Connection, changed: Sequence[Alert]) -> None:
    """Write alerts as they stand now; one that is over opens anew with its row."""
    for alert in changed:
        values = {name: getattr(alert, name) for name in Alert.__slots__} | {"message": storable(alert.message)}
        written = insert(alerts).values(values)
        connection.execute(written.on_conflict_do_update(index_elements=["model", "cause"], set_=values))


def told_before(connection: sa.Connection, causes: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these causes (model, cause) have a row, open or over."""
    if not causes:
        return set()
    query = sa.select(alerts.c.model, alerts.c.cause).where(sa.tuple_(alerts.c.model, alerts.c.cause).in_(list(causes)))
    return {(row.model, row.cause) for row in connection.execute(query)}
