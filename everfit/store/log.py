"""The prediction log in Postgres: rows, dead letters, clocks and next offsets, in one transaction.

The order of a batch: lock the offsets' rows, write the rows on their identity, write the dead letters, move the clocks, move
the offsets, commit. Whatever is redelivered falls on the identities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql import insert

from everfit.events import LoggedPrediction, Outcome, Prediction, wall_clock
from everfit.store.tables import clocks, consumer_offsets, dead_letters, windows

Answered = Prediction | LoggedPrediction


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading stands on one partition: the next offset, which log that is, and the last record's SHA-256."""

    topic: str
    partition: int
    next_offset: int
    log_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be used, as it was read, and why."""

    topic: str
    partition: int
    offset: int
    log_id: str
    value: bytes | None
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll brought: events with the partition they came from, dead letters, and where reading stands after it."""

    predictions: Sequence[tuple[int, Answered]]
    outcomes: Sequence[Outcome]
    dead: Sequence[DeadLetter]
    positions: Sequence[Position]


def positions(connection: sa.Connection) -> dict[tuple[str, int], Position]:
    """Where reading stands, by topic and partition."""
    columns = consumer_offsets.c
    query = sa.select(columns.topic, columns.partition, columns.next_offset, columns.log_id, columns.fingerprint)
    return {(row.topic, row.partition): Position(*row) for row in connection.execute(query)}


def restart(connection: sa.Connection, topic: str, partition: int, log_id: str) -> None:
    """Record that a partition's log began again: reading goes on from its beginning."""
    table = consumer_offsets
    again = {"next_offset": 0, "log_id": log_id, "fingerprint": "", "restarts": table.c.restarts + 1}
    connection.execute(sa.update(table).where(table.c.topic == topic, table.c.partition == partition).values(**again))


def write(engine: sa.Engine, batch: Batch) -> bool:
    """Write a batch. False when somebody else moved these partitions' offsets meanwhile: nothing was written, read again."""
    with engine.begin() as connection:
        if not _hold(connection, batch.positions):
            return False
        _write_predictions(connection, [prediction for _, prediction in batch.predictions])
        _write_outcomes(connection, batch.outcomes)
        _write_dead_letters(connection, batch.dead)
        _move_clocks(connection, batch.predictions)
        _move_offsets(connection, batch.positions)
    return True


def _hold(connection: sa.Connection, wanted: Sequence[Position]) -> bool:
    """Lock the offsets' rows (made where missing), in one order; False where one is past what this batch begins at."""
    table = consumer_offsets
    keys = sorted((position.topic, position.partition, position.log_id) for position in wanted)
    fresh = [{"topic": t, "partition": p, "next_offset": 0, "log_id": log, "fingerprint": ""} for t, p, log in keys]
    connection.execute(insert(table).on_conflict_do_nothing(), fresh)
    found = {}
    for topic, partition, _ in keys:
        held = sa.select(table).where(table.c.topic == topic, table.c.partition == partition).with_for_update()
        found[topic, partition] = connection.execute(held).one()
    return all(
        found[position.topic, position.partition].log_id == position.log_id
        and found[position.topic, position.partition].next_offset <= position.next_offset
        for position in wanted
    )


def _write_predictions(connection: sa.Connection, events: Sequence[Answered]) -> None:
    if not events:
        return
    last_closed = sa.select(windows.c.model, sa.func.max(windows.c.end).label("until")).group_by(windows.c.model)
    closed = {row.model: row.until for row in connection.execute(last_closed)}
    make_partitions(connection, [event.event_time for event in events])
    cursor = connection.connection.cursor()
    cursor.execute("CREATE TEMP TABLE incoming (LIKE predictions) ON COMMIT DROP")
    with cursor.copy("COPY incoming FROM STDIN") as copy:
        for event in events:
            late = event.model in closed and event.event_time < closed[event.model]
            copy.write_row(_row(event, late=late))
    cursor.execute("INSERT INTO predictions SELECT * FROM incoming ON CONFLICT DO NOTHING")
    cursor.execute("DROP TABLE incoming")


def _row(event: Answered, *, late: bool) -> tuple[object, ...]:
    """In the order of the table's columns."""
    features = msgspec.json.encode(event.features).decode()
    identity = (event.event_time, event.request_id, event.model, event.version)
    return (*identity, event.role, event.entity, features, event.score, event.degraded, event.schema, late)


def make_partitions(connection: sa.Connection, moments: Sequence[datetime]) -> None:
    """Make the monthly partitions of ``predictions`` that these moments fall in, where they are missing."""
    for year, month in sorted({(moment.year, moment.month) for moment in (m.astimezone(UTC) for m in moments)}):
        name = f"predictions_{year:04}_{month:02}"
        if connection.execute(sa.select(sa.func.to_regclass(name))).scalar():
            continue
        start, end = datetime(year, month, 1, tzinfo=UTC), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        statement = sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF predictions FOR VALUES FROM ({}) TO ({})")
        connection.connection.cursor().execute(
            statement.format(sql.Identifier(name), sql.Literal(start.isoformat()), sql.Literal(end.isoformat()))
        )


def _write_outcomes(connection: sa.Connection, events: Sequence[Outcome]) -> None:
    if not events:
        return
    cursor = connection.connection.cursor()
    cursor.execute("CREATE TEMP TABLE incoming_outcomes (LIKE outcomes) ON COMMIT DROP")
    with cursor.copy("COPY incoming_outcomes FROM STDIN") as copy:
        for event in events:
            copy.write_row((event.observed_at, event.model, event.request_id, event.outcome))
    cursor.execute("INSERT INTO outcomes SELECT * FROM incoming_outcomes ON CONFLICT DO NOTHING")
    cursor.execute("DROP TABLE incoming_outcomes")


def _write_dead_letters(connection: sa.Connection, dead: Sequence[DeadLetter]) -> None:
    if dead:
        rows = [{name: getattr(letter, name) for name in DeadLetter.__slots__} for letter in dead]
        connection.execute(insert(dead_letters).on_conflict_do_nothing(), rows)


def _move_clocks(connection: sa.Connection, events: Sequence[tuple[int, Answered]]) -> None:
    newest: dict[tuple[str, int], datetime] = {}
    for partition, event in events:
        key = (event.model, partition)
        newest[key] = max(newest.get(key, event.event_time), event.event_time)
    if not newest:
        return
    seen = wall_clock()
    statement = insert(clocks)
    later = {
        "newest": sa.func.greatest(clocks.c.newest, statement.excluded.newest),
        "seen_at": statement.excluded.seen_at,
    }
    rows = [{"model": m, "partition": p, "newest": moment, "seen_at": seen} for (m, p), moment in newest.items()]
    connection.execute(statement.on_conflict_do_update(index_elements=["model", "partition"], set_=later), rows)


def _move_offsets(connection: sa.Connection, reached: Sequence[Position]) -> None:
    for position in reached:
        table = consumer_offsets
        here = (table.c.topic == position.topic, table.c.partition == position.partition)
        to = {"next_offset": position.next_offset, "log_id": position.log_id, "fingerprint": position.fingerprint}
        connection.execute(sa.update(table).where(*here).values(**to))
