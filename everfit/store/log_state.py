"""How reading of the log stands, as Postgres knows it: for `everfit status` and for whoever watches."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic over its partitions. ``lag`` counts the records between what was read and the log's end when it was last
    read; ``missing`` those that retention deleted before they were read."""

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
    """Every topic that was ever read."""
    return [TopicState(*row) for row in connection.execute(_TOPICS)]


def late(connection: sa.Connection) -> dict[str, int]:
    """How many predictions of each model came after their window had closed."""
    query = sa.text("SELECT model, count(*) FROM predictions WHERE late GROUP BY model ORDER BY model")
    return {str(model): int(count) for model, count in connection.execute(query)}
