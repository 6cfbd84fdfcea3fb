"""Dead letters: records that could not be used, with the reason, and whether they were stored later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from everfit.store.tables import dead_letters


@dataclass(frozen=True, slots=True)
class Letter:
    """A record as it was read, and the dead letter's number."""

    id: int
    topic: str
    partition: int
    offset: int
    log_id: str
    value: bytes | None
    reason: str
    read_at: datetime
    redriven_at: datetime | None


_COLUMNS = [dead_letters.c[name] for name in Letter.__slots__]


def newest(connection: sa.Connection, *, topic: str | None = None, limit: int = 50) -> Sequence[Letter]:
    """The dead letters that were not stored since, newest first."""
    query = sa.select(*_COLUMNS).where(dead_letters.c.redriven_at.is_(None))
    if topic:
        query = query.where(dead_letters.c.topic == topic)
    return [Letter(*row) for row in connection.execute(query.order_by(dead_letters.c.id.desc()).limit(limit))]


def find(connection: sa.Connection, number: int) -> Letter | None:
    """The dead letter of that number."""
    row = connection.execute(sa.select(*_COLUMNS).where(dead_letters.c.id == number)).first()
    return Letter(*row) if row else None


def waiting(connection: sa.Connection) -> Sequence[int]:
    """The numbers of all dead letters that were not stored since, oldest first."""
    query = sa.select(dead_letters.c.id).where(dead_letters.c.redriven_at.is_(None)).order_by(dead_letters.c.id)
    return connection.execute(query).scalars().all()


def mark_redriven(connection: sa.Connection, number: int) -> None:
    """Mark it as stored by this connection's transaction."""
    connection.execute(sa.update(dead_letters).where(dead_letters.c.id == number).values(redriven_at=sa.func.now()))
