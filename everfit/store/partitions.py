"""Which object of the lake a dataset's partition is now, and was then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from everfit.store.tables import partition_versions


@dataclass(frozen=True, slots=True)
class PartitionVersion:
    """One version of one partition. ``partition`` is a day as ``1996-09-04``, or empty for what is not cut in days."""

    dataset: str
    partition: str
    hash: str
    rows: int
    code_version: str
    inputs: Mapping[str, Any]


def record(connection: sa.Connection, made: Sequence[PartitionVersion]) -> None:
    """Add a version for each partition whose newest version is another object."""
    if not made:
        return
    dataset = made[0].dataset
    table = partition_versions
    held = {row.partition: row for row in connection.execute(_newest(dataset))}
    rows = []
    for version in made:
        before = held.get(version.partition)
        if before is None or before.hash != version.hash:
            number = before.version + 1 if before else 1
            rows.append({name: getattr(version, name) for name in PartitionVersion.__slots__} | {"version": number})
    if rows:
        connection.execute(sa.insert(table), rows)


def newest(connection: sa.Connection, dataset: str, *, since: date | None = None, before: date | None = None) -> dict[str, str]:
    """Hash of each partition's newest version, by partition in order, of the days in ``[since, before)``."""
    days = {row.partition: row.hash for row in connection.execute(_newest(dataset))}
    low, high = since.isoformat() if since else "", before.isoformat() if before else "9999"
    return {day: days[day] for day in sorted(days) if low <= day < high}


def _newest(dataset: str) -> sa.Select[Any]:
    table = partition_versions
    query = sa.select(table.c.partition, table.c.version, table.c.hash).where(table.c.dataset == dataset)
    return query.ext(distinct_on(table.c.partition)).order_by(table.c.partition, table.c.version.desc())
