"""The days of the sources on which rows have landed, and the number of publications that touched each."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import psycopg
import sqlalchemy as sa

from everfit.store.tables import source_days

_TOUCH = """
    INSERT INTO source_days (source, day) SELECT %s, day FROM unnest(%s::date[]) AS touched(day)
    ON CONFLICT (source, day) DO UPDATE SET changes = source_days.changes + 1
"""

Changes = dict[str, dict[str, int]]  # source → day as 1996-09-04 → publications that touched it


def touch(cursor: psycopg.Cursor[Any], source: str, days: Collection[date]) -> None:
    """Mark the days as changed: what was made of them is out of date."""
    cursor.execute(_TOUCH, [source, sorted(days)])


def changes(connection: sa.Connection, sources: Sequence[str], *, before: date | None = None) -> Changes:
    """Number of publications that touched each day of these sources before ``before``, by source and day in order."""
    table = source_days
    query = sa.select(table).where(table.c.source.in_(sources)).order_by(table.c.day)
    days_by_source: Changes = {source: {} for source in sources}
    for source, day, count in connection.execute(query if before is None else query.where(table.c.day < before)):
        days_by_source[source][day.isoformat()] = count
    return days_by_source


def landed(connection: sa.Connection, sources: Sequence[str], *, before: date) -> list[str]:
    """The days before ``before`` with landed rows of any of these sources, in order."""
    table = source_days
    query = sa.select(table.c.day).distinct().where(table.c.source.in_(sources), table.c.day < before).order_by(table.c.day)
    return [day.isoformat() for day in connection.execute(query).scalars()]


def marks(connection: sa.Connection) -> dict[str, tuple[int, date]]:
    """Number of landed days of each source, and the newest: they change when a day lands for the first time."""
    table = source_days
    query = sa.select(table.c.source, sa.func.count(), sa.func.max(table.c.day)).group_by(table.c.source)
    return {source: (days, newest) for source, days, newest in connection.execute(query)}
