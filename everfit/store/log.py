"""The prediction log in Postgres: rows, dead letters, clocks and next offsets, in one transaction.

The order for a batch: lock the offsets' rows and compare them with the batch's first offsets, insert rows with new identities,
insert dead letters, advance the clocks, advance the offsets, commit. Redelivered records have stored identities, and of two
consumers of a partition only the one that continues at the stored offset can write.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import errors
from sqlalchemy.dialects.postgresql import insert

from everfit.errors import EventError
from everfit.store import bulk_copy, letters, locks, month_partitions
from everfit.store.bulk_copy import Arrived, Rows, Stored
from everfit.store.failures import storable
from everfit.store.tables import clocks, consumer_offsets, dead_letters, failures, log_gaps
from everfit.timing import wall_clock

ATTEMPTS = 5
REASON_CHARACTERS = 1_000
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded)


@dataclass(frozen=True, slots=True)
class Position:
    """The position on a partition: the next offset, the id of the log, and the last record's SHA-256 and offset.

    Markers of transactions and gaps by compaction may lie between that record and the next offset.
    """

    topic: str
    partition: int
    next_offset: int
    log_id: str
    fingerprint: str
    record_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A move from the offset that must be stored now to the position that is stored then.

    ``end`` is the log's present end; ``readable`` the offset up to which it can be read, lower where a transaction is open.
    """

    since: int
    position: Position
    end: int
    readable: int | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be used, as it was read, and the reason."""

    topic: str
    partition: int
    offset: int
    log_id: str
    value: bytes | None
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Records ``[first, next)`` that were deleted before they were read, or skipped by a person."""

    topic: str
    partition: int
    log_id: str
    first: int
    next: int

    @property
    def records(self) -> int:
        """The number of offsets skipped."""
        return self.next - self.first


@dataclass(slots=True)
class Batch:
    """The records of one poll; or a single dead ``letter``, by number, that is to be stored."""

    predictions: Rows = field(default_factory=Rows)
    outcomes: Rows = field(default_factory=Rows)
    dead: list[DeadLetter] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    letter: int | None = None

    @property
    def records(self) -> int:
        """The number of records, including dead letters."""
        return len(self.predictions) + len(self.outcomes) + len(self.dead)


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a batch: arrivals by model and partition, the new ones among them, outcomes by model, dead letters."""

    arrived: Sequence[Arrived]
    stored: Sequence[Stored]
    outcomes: dict[str, int]
    dead: int


def positions(connection: sa.Connection) -> dict[tuple[str, int], Position]:
    """The stored positions by topic and partition."""
    columns = consumer_offsets.c
    record = sa.func.coalesce(columns.record_offset, columns.next_offset - 1)
    query = sa.select(columns.topic, columns.partition, columns.next_offset, columns.log_id, columns.fingerprint, record)
    return {(row.topic, row.partition): Position(*row) for row in connection.execute(query)}


def ends(connection: sa.Connection) -> dict[tuple[str, int], tuple[int, int]]:
    """The end of each log when it was last read, and how far it could be read, by topic and partition."""
    columns = consumer_offsets.c
    query = sa.select(columns.topic, columns.partition, columns.end_offset, columns.readable_offset)
    return {(row.topic, row.partition): (row.end_offset, row.readable_offset) for row in connection.execute(query)}


def all_read(connection: sa.Connection) -> bool:
    """Whether no readable record of any log, as of its last reading, remains to be read.

    Isolated partitions do not count.
    """
    columns = consumer_offsets.c
    name = columns.topic + ":" + sa.cast(columns.partition, sa.Text)
    aside = sa.exists().where(failures.c.model == "", failures.c.stage == "partition", failures.c.part == name)
    waiting = sa.select(columns.topic).where(columns.next_offset < columns.readable_offset, ~aside).limit(1)
    return connection.execute(waiting).first() is None


def note_end(connection: sa.Connection, position: Position, end: int, start: int) -> None:
    """Record a log's end where nothing further can be read; the position stays, a new partition's is ``start``."""
    table = consumer_offsets
    key = {"topic": position.topic, "partition": position.partition}
    fresh = {"next_offset": start, "log_id": position.log_id, "fingerprint": "", "end_offset": end, "readable_offset": end}
    later = {name: sa.func.greatest(table.c[name], end) for name in ("end_offset", "readable_offset")}
    statement = insert(table).values(key | fresh)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=later))


def restart(connection: sa.Connection, stored: Position, log_id: str) -> None:
    """Record that a partition's log restarted: reading continues at its beginning, unless another consumer does so already."""
    table = consumer_offsets
    here = (table.c.topic == stored.topic, table.c.partition == stored.partition)
    same = (table.c.next_offset == stored.next_offset, table.c.fingerprint == stored.fingerprint)
    nothing = {"next_offset": 0, "end_offset": 0, "readable_offset": 0, "fingerprint": "", "record_offset": None}
    again = nothing | {"log_id": log_id, "restarts": table.c.restarts + 1}
    connection.execute(sa.update(table).where(*here, *same).values(**again))


def skip(connection: sa.Connection, gap: Gap, *, by_person: bool = False) -> bool:
    """Record a gap after which reading continues; False where the position has changed since."""
    table = consumer_offsets
    here = (table.c.topic == gap.topic, table.c.partition == gap.partition, table.c.next_offset == gap.first)
    moved = sa.update(table).where(*here).values(next_offset=gap.next, fingerprint="", record_offset=None)
    if connection.execute(moved.returning(table.c.topic)).first() is None:
        return False
    row = {"topic": gap.topic, "partition": gap.partition, "log_id": gap.log_id, "first_offset": gap.first}
    passed = {"next_offset": gap.next, "skipped": by_person}
    connection.execute(insert(log_gaps).values(row | passed).on_conflict_do_nothing())
    return True


def lock_windows(connection: sa.Connection, model: str) -> None:
    """Lock out other writers of this model's predictions and windows until the transaction ends."""
    locks.hold(connection, locks.WINDOWS + model)


@contextmanager
def ingesting(engine: sa.Engine) -> Iterator[None]:
    """Mark the log as read by a long-running consumer while the block, or this process, lasts."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock_shared(*locks.INGESTING)))
        try:
            yield
        finally:
            connection.invalidate()  # its session ends, and the lock with it


def is_ingested(connection: sa.Connection) -> bool:
    """Whether a long-running consumer is running."""
    query = """
        SELECT EXISTS (
            SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
            WHERE locktype = 'advisory' AND datname = current_database() AND (classid, objid) = (:class, :object)
        )"""
    lock = dict(zip(("class", "object"), locks.INGESTING, strict=True))
    is_running: bool = connection.execute(sa.text(query), lock).scalar_one()
    return is_running


class LogWriter:
    """Writes batches to one database, and creates the table partitions that they need."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._months: set[str] = set()

    def write(self, batch: Batch) -> Written | None:
        """Write a batch; rows that the database refuses become dead letters.

        Raises:
            EventError: when it refuses a row that was a dead letter already.

        Returns:
            The result; None when the stored offsets are not those where the batch begins: nothing was written, read again.
        """
        for _ in range(ATTEMPTS):
            self._make_partitions(batch)
            try:
                return self._write(batch)
            except (errors.DeadlockDetected, errors.CheckViolation):
                self._months.clear()  # a row's partition is missing: it was dropped in the meantime
            except REFUSALS:
                batch = self._without_refused(batch)
        return self._write(batch)

    def _make_partitions(self, batch: Batch) -> None:
        missing = set(batch.predictions.months()) - self._months
        if missing:
            month_partitions.make(self._engine, missing)
            self._months |= missing

    def _write(self, batch: Batch) -> Written | None:
        with self._engine.begin() as connection:
            if not _lock_offsets(connection, batch.steps):
                return None
            cursor = _cursor(connection)
            arrived, stored, other = bulk_copy.store_predictions(cursor, batch.predictions.lines)
            outcomes, others = bulk_copy.store_outcomes(cursor, batch.outcomes.lines)
            contradicting = _dead(batch, batch.predictions, other) + _dead(batch, batch.outcomes, others)
            _write_dead_letters(connection, batch.dead + contradicting)
            if batch.letter is not None:
                letters.mark_redriven(connection, batch.letter)
            _move_clocks(connection, arrived)
            _move_offsets(connection, batch.steps)
        return Written(arrived, stored, outcomes, len(batch.dead) + len(contradicting))

    def _without_refused(self, batch: Batch) -> Batch:
        """The batch with every row that the database refuses moved to the dead letters."""
        dead = list(batch.dead)
        kept = []
        for rows, store in ((batch.predictions, bulk_copy.store_predictions), (batch.outcomes, bulk_copy.store_outcomes)):
            refused = dict(self._refused(store, rows.lines, 0))
            dead += _dead(batch, rows, refused)
            kept.append(rows.picked([at for at in range(len(rows)) if at not in refused]))
        return Batch(kept[0], kept[1], dead, batch.steps)

    def _refused(self, store: Any, lines: Sequence[str], first: int) -> list[tuple[int, str]]:
        """The positions of rows that cannot be stored, and why; found by bisection, each half tried and rolled back."""
        try:
            with self._engine.connect() as connection:
                store(_cursor(connection), lines)
        except REFUSALS as error:
            if len(lines) == 1:
                return [(first, f"Postgres refuses it: {error.diag.message_primary or error}")]
        else:
            return []
        middle = len(lines) // 2
        return self._refused(store, lines[:middle], first) + self._refused(store, lines[middle:], first + middle)


def _dead(batch: Batch, rows: Rows, reasons: Mapping[int, str]) -> list[DeadLetter]:
    """The records at these positions as dead letters, each with its reason.

    Raises:
        EventError: when the batch is a dead letter itself, which remains one.
    """
    if batch.letter is not None and reasons:
        raise EventError(next(iter(reasons.values())))
    logs = {(step.position.topic, step.position.partition): step.position.log_id for step in batch.steps}
    dead = []
    for at, reason in reasons.items():
        it = rows.records[at]
        dead.append(DeadLetter(it.topic, it.partition, it.offset, logs.get((it.topic, it.partition), ""), it.value, reason))
    return dead


def _cursor(connection: sa.Connection) -> psycopg.Cursor[Any]:
    """The driver's cursor, as SQLAlchemy does not support COPY."""
    cursor: Any = connection.connection.cursor()
    assert isinstance(cursor, psycopg.Cursor)
    return cursor


def _lock_offsets(connection: sa.Connection, steps: Sequence[Step]) -> bool:
    """Lock the offsets' rows, created where missing, in a fixed order; False where an offset is not where its step begins."""
    if not steps:
        return True
    table = consumer_offsets
    wanted = {(step.position.topic, step.position.partition): (step.since, step.position.log_id) for step in steps}
    fresh = [
        {"topic": topic, "partition": partition, "next_offset": 0, "log_id": wanted[topic, partition][1], "fingerprint": ""}
        for topic, partition in sorted(wanted)
    ]
    connection.execute(insert(table).on_conflict_do_nothing(), fresh)
    columns = (table.c.topic, table.c.partition, table.c.next_offset, table.c.log_id)
    query = sa.select(*columns).where(sa.tuple_(table.c.topic, table.c.partition).in_(list(wanted))).order_by(*columns[:2])
    stored = {(row.topic, row.partition): (row.next_offset, row.log_id) for row in connection.execute(query.with_for_update())}
    return stored == wanted


def _write_dead_letters(connection: sa.Connection, dead: Sequence[DeadLetter]) -> None:
    if dead:
        rows = [{name: getattr(letter, name) for name in DeadLetter.__slots__} for letter in dead]
        texts = [row | {"reason": storable(row["reason"])[:REASON_CHARACTERS]} for row in rows]
        connection.execute(insert(dead_letters).on_conflict_do_nothing(), texts)


def _move_clocks(connection: sa.Connection, arrived: Sequence[Arrived]) -> None:
    if not arrived:
        return
    now = wall_clock()
    statement = insert(clocks)
    later = {
        "newest": sa.func.greatest(clocks.c.newest, statement.excluded.newest),
        "seen_at": statement.excluded.seen_at,
    }
    rows = [
        {"model": arrival.model, "partition": arrival.partition, "newest": arrival.newest, "seen_at": now}
        for arrival in arrived
    ]
    rows.sort(key=lambda row: (row["model"], row["partition"]))
    connection.execute(statement.on_conflict_do_update(index_elements=["model", "partition"], set_=later), rows)


def _move_offsets(connection: sa.Connection, steps: Sequence[Step]) -> None:
    table = consumer_offsets
    for step in steps:
        position = step.position
        here = (table.c.topic == position.topic, table.c.partition == position.partition)
        to = {name: getattr(position, name) for name in ("next_offset", "log_id", "fingerprint", "record_offset")}
        readable = step.end if step.readable is None else step.readable
        ends = {"end_offset": max(step.end, position.next_offset), "readable_offset": max(readable, position.next_offset)}
        connection.execute(sa.update(table).where(*here).values(**to, **ends, updated_at=sa.func.now()))
