"""The versions of datasets' partitions: which object of the lake a partition is now, and was before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from everfit.store import locks
from everfit.store.tables import partition_versions


@dataclass(frozen=True, slots=True)
class PartitionVersion:
    """A version of a partition. ``partition`` is a day as ``1996-09-04``, or empty for datasets without days."""

    dataset: str
    partition: str
    hash: str
    rows: int
    code_version: str
    inputs: Mapping[str, Any]


def record(connection: sa.Connection, made: Sequence[PartitionVersion]) -> None:
    """Add a version for each partition whose object changed; where it is the same, update code version and inputs.

    Versions of a dataset are numbered under a lock, so that two runs of the same day do not conflict.
    """
    if not made:
        return
    dataset = made[0].dataset
    locks.hold(connection, locks.DATASET + dataset)
    stored = {row.partition: row for row in connection.execute(_newest(dataset))}
    table = partition_versions
    rows = []
    for version in made:
        before = stored.get(version.partition)
        if before is None or before.hash != version.hash:
            number = before.version + 1 if before else 1
            rows.append({name: getattr(version, name) for name in PartitionVersion.__slots__} | {"version": number})
        elif (before.code_version, before.inputs) != (version.code_version, version.inputs):
            same = (table.c.dataset == dataset, table.c.partition == version.partition, table.c.version == before.version)
            noted = {"code_version": version.code_version, "inputs": version.inputs}
            connection.execute(sa.update(table).where(*same).values(noted))
    if rows:
        connection.execute(sa.insert(table), rows)


def newest_versions(connection: sa.Connection, dataset: str) -> dict[str, PartitionVersion]:
    """Each partition's newest version, by partition in order."""
    rows = connection.execute(_newest(dataset))
    return {row.partition: PartitionVersion(*(getattr(row, name) for name in PartitionVersion.__slots__)) for row in rows}


def newest(connection: sa.Connection, dataset: str, *, before: date | None = None) -> dict[str, str]:
    """Hash of each partition's newest version, by partition in order, of the days before one."""
    days = {row.partition: row.hash for row in connection.execute(_newest(dataset))}
    high = before.isoformat() if before else "9999"
    return {day: days[day] for day in sorted(days) if day < high}


def _newest(dataset: str) -> sa.Select[Any]:
    table = partition_versions
    query = sa.select(table).where(table.c.dataset == dataset).ext(distinct_on(table.c.partition))
    return query.order_by(table.c.partition, table.c.version.desc())
