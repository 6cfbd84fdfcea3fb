"""The progress of reading the log, from Postgres, for `everfit status` and the alert rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from everfit.declaration.rollouts import ANSWERING
from everfit.store.tables import predictions


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic over its partitions. ``lag`` counts the records between the position and the log's end when it was last read;
    ``missing`` those that retention deleted before they were read, or that a person skipped."""

    topic: str
    partitions: int
    read: int
    lag: int
    dead_letters: int
    restarts: int
    gaps: int
    missing: int
    read_at: datetime


_TOPICS = sa.text("""
    SELECT topic, count(*), sum(next_offset)::bigint, sum(greatest(end_offset - next_offset, 0))::bigint,
           (SELECT count(*) FROM dead_letters d WHERE d.topic = o.topic AND d.redriven_at IS NULL),
           sum(restarts)::bigint,
           (SELECT count(*) FROM log_gaps g WHERE g.topic = o.topic),
           (SELECT coalesce(sum(g.next_offset - g.first_offset), 0)::bigint FROM log_gaps g WHERE g.topic = o.topic),
           max(updated_at)
    FROM consumer_offsets o GROUP BY topic ORDER BY topic
""")


def topics(connection: sa.Connection) -> list[TopicState]:
    """Every topic that was read."""
    return [TopicState(*row) for row in connection.execute(_TOPICS)]


def log_id(connection: sa.Connection, topic: str) -> str | None:
    """The id of the log of a topic that was read last, or None."""
    query = sa.text("SELECT log_id FROM consumer_offsets WHERE topic = :topic ORDER BY updated_at DESC LIMIT 1")
    return connection.execute(query, {"topic": topic}).scalar()


def late(connection: sa.Connection) -> dict[str, int]:
    """Number of answers to clients, of each model, that arrived after their window had closed."""
    columns = predictions.c
    counted = sa.select(columns.model, sa.func.count()).where(columns.late, columns.role.in_(ANSWERING))
    return {row[0]: row[1] for row in connection.execute(counted.group_by(columns.model).order_by(columns.model))}


@dataclass(frozen=True, slots=True)
class Deleted:
    """Records of a partition deleted before they were read: ``records`` in ``gaps``, within offsets ``[first, next)``."""

    topic: str
    partition: int
    log_id: str
    first: int
    next: int
    records: int
    gaps: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """A log that is not the first of its topic: the partitions that restarted, and how often at most."""

    topic: str
    log_id: str
    times: int
    partitions: Sequence[int]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The number of dead letters, not stored since, among the newest ``records`` read of a topic."""

    topic: str
    records: int
    dead: int


_DELETED = sa.text("""
    SELECT topic, partition, log_id, min(first_offset), max(next_offset), sum(next_offset - first_offset)::bigint, count(*)
    FROM log_gaps WHERE noticed_at > now() - :within AND NOT skipped
    GROUP BY topic, partition, log_id ORDER BY topic, partition, log_id
""")
_RESTARTED = sa.text("""
    SELECT topic, log_id, max(restarts), array_agg(partition ORDER BY partition)
    FROM consumer_offsets WHERE restarts > 0 GROUP BY topic, log_id ORDER BY topic, log_id
""")
_REJECTED = sa.text("""
    SELECT topic, sum(least(o.next_offset, :newest))::bigint, sum(dead)::bigint
    FROM consumer_offsets o, LATERAL (
        SELECT count(*) AS dead FROM dead_letters d
        WHERE d.topic = o.topic AND d.partition = o.partition AND d.log_id = o.log_id
            AND d."offset" >= o.next_offset - :newest AND d.redriven_at IS NULL
    ) AS letters
    GROUP BY topic ORDER BY topic
""")


def deleted(connection: sa.Connection, within: timedelta) -> list[Deleted]:
    """The gaps noticed within a duration of wall clock, grouped by partition and log."""
    return [Deleted(*row) for row in connection.execute(_DELETED, {"within": within})]


def restarted(connection: sa.Connection) -> list[Restarted]:
    """The present logs that have restarted."""
    return [Restarted(*row) for row in connection.execute(_RESTARTED)]


def rejected(connection: sa.Connection, newest: int) -> list[Rejected]:
    """Every topic with its dead letters among the ``newest`` records read of each partition."""
    return [Rejected(*row) for row in connection.execute(_REJECTED, {"newest": newest})]


@dataclass(frozen=True, slots=True)
class Lagging:
    """A partition with ``records`` left to read, never fewer than ``lowest`` since ``since`` (wall clock)."""

    topic: str
    partition: int
    records: int
    lowest: int
    since: datetime


_NOTE_LAGS = sa.text("""
    INSERT INTO log_lags AS held (topic, partition, lowest, since)
    SELECT topic, partition, greatest(readable_offset - next_offset, 0), :now FROM consumer_offsets
    ON CONFLICT (topic, partition) DO UPDATE SET lowest = excluded.lowest, since = excluded.since
    WHERE excluded.lowest < held.lowest OR held.lowest = 0
""")
_LAGGING = sa.text("""
    SELECT topic, partition, o.readable_offset - o.next_offset, l.lowest, l.since
    FROM log_lags l JOIN consumer_offsets o USING (topic, partition)
    WHERE o.readable_offset > o.next_offset AND NOT EXISTS (
        SELECT FROM failures f WHERE f.model = '' AND f.stage = 'partition' AND f.part = topic || ':' || partition
    ) ORDER BY topic, partition
""")


def note_lags(connection: sa.Connection, now: datetime) -> list[Lagging]:
    """Record how far reading of each partition lags; returns the lagging ones, with since when the lag has not fallen."""
    connection.execute(_NOTE_LAGS, {"now": now})
    return [Lagging(*row) for row in connection.execute(_LAGGING)]
