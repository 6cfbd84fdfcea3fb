"""The days of the sources: on which of them rows have landed, and how often each was touched since."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from everfit.store.tables import source_days

Changes = dict[str, dict[str, int]]  # source → day as 1996-09-04 → publications that touched it


def changes(connection: sa.Connection, sources: Sequence[str], *, before: date | None = None) -> Changes:
    """How many publications touched each day of these sources, by source and day in order, of the days before ``before``."""
    table = source_days
    query = sa.select(table).where(table.c.source.in_(sources)).order_by(table.c.day)
    found: Changes = {source: {} for source in sources}
    for source, day, count in connection.execute(query if before is None else query.where(table.c.day < before)):
        found[source][day.isoformat()] = count
    return found


def landed(connection: sa.Connection, sources: Sequence[str], *, before: date) -> list[str]:
    """The days before ``before`` on which rows of any of these sources have landed, in order."""
    table = source_days
    query = sa.select(table.c.day).distinct().where(table.c.source.in_(sources), table.c.day < before).order_by(table.c.day)
    return [day.isoformat() for day in connection.execute(query).scalars()]


def marks(connection: sa.Connection) -> dict[str, tuple[int, date]]:
    """How many days have landed of each source, and the newest: what changes when a day lands for the first time."""
    table = source_days
    query = sa.select(table.c.source, sa.func.count(), sa.func.max(table.c.day)).group_by(table.c.source)
    return {source: (days, newest) for source, days, newest in connection.execute(query)}
