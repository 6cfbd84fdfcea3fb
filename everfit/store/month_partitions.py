"""The monthly partitions of ``predictions``: created before their rows, dropped when retention has passed.

A partition is created as a separate table and then attached, which blocks neither readers nor writers; by a function of the
database, as the tables' owner.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from everfit.store import locks

PREFIX = "predictions_"


def make(engine: sa.Engine, months: Iterable[str]) -> None:
    """Create the missing partitions of these months, such as ``1996-09``, and of the month after each."""
    starts = {start for month in months for start in (_start(month), _next(_start(month)))}
    with engine.begin() as connection:
        locks.hold(connection, locks.MONTHS)
        for start in sorted(starts):
            if connection.execute(sa.select(sa.func.to_regclass(_name(start)))).scalar() is None:
                _make(connection, start)


def made(connection: sa.Connection) -> list[tuple[str, datetime, datetime]]:
    """Every partition, oldest first: its name and its half-open span."""
    query = sa.text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'predictions'::regclass ORDER BY 1")
    partitions = []
    for name in connection.execute(query).scalars():
        start = _start(name.removeprefix(PREFIX).replace("_", "-"))
        partitions.append((name, start, _next(start)))
    return partitions


def drop(connection: sa.Connection, name: str) -> None:
    """Drop a partition with its rows."""
    locks.hold(connection, locks.MONTHS)
    connection.execute(sa.select(sa.func.drop_month(name.removeprefix(PREFIX))))


def _make(connection: sa.Connection, start: datetime) -> None:
    month = _name(start).removeprefix(PREFIX)
    connection.execute(sa.select(sa.func.make_month(month, start, _next(start))))


def _name(start: datetime) -> str:
    return f"{PREFIX}{start:%Y_%m}"


def _start(month: str) -> datetime:
    year, number = month.split("-")
    return datetime(int(year), int(number), 1, tzinfo=UTC)


def _next(start: datetime) -> datetime:
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
