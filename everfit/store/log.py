"""The prediction log in Postgres: rows, dead letters, clocks and next offsets, in one transaction.

The order of a batch: lock the offsets' rows and hold them against where this batch begins, write the rows on their identity,
write the dead letters, move the clocks, move the offsets, commit. Whatever is redelivered falls on the identities, and of two
consumers of a partition only the one that reads on from what is stored can write.
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
from everfit.store import bulk_copy, letters, month_partitions
from everfit.store.bulk_copy import WINDOWS_LOCK, Arrived, Rows, Stored
from everfit.store.tables import clocks, consumer_offsets, dead_letters, failures, log_gaps
from everfit.timing import wall_clock

ATTEMPTS = 5
REASON_CHARACTERS = 1_000
INGESTING = (25_974, 1)  # an advisory lock that members of `everfit ingest` share
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded)


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading stands on one partition: the next offset, which log that is, and the last record's SHA-256 and offset.

    Markers of transactions and holes of compaction may lie between that record and the next offset.
    """

    topic: str
    partition: int
    next_offset: int
    log_id: str
    fingerprint: str
    record_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """From the offset that must be the stored one to the position that is stored then.

    ``end`` is the log's end by now; ``readable`` how far it can be read, where a transaction that is open keeps that below.
    """

    since: int
    position: Position
    end: int
    readable: int | None = None


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
class Gap:
    """Records ``[first, next)`` that were deleted before they were read, or passed over by a person."""

    topic: str
    partition: int
    log_id: str
    first: int
    next: int

    @property
    def records(self) -> int:
        """How many offsets were passed over."""
        return self.next - self.first


@dataclass(slots=True)
class Batch:
    """What one poll brought; or one dead ``letter``, by number, that is stored after all."""

    predictions: Rows = field(default_factory=Rows)
    outcomes: Rows = field(default_factory=Rows)
    dead: list[DeadLetter] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    letter: int | None = None

    @property
    def records(self) -> int:
        """How many there are, dead letters included."""
        return len(self.predictions) + len(self.outcomes) + len(self.dead)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch: what arrived by model and partition, what of it was new, outcomes by model, dead letters."""

    arrived: Sequence[Arrived]
    stored: Sequence[Stored]
    outcomes: dict[str, int]
    dead: int


def positions(connection: sa.Connection) -> dict[tuple[str, int], Position]:
    """Where reading stands, by topic and partition."""
    columns = consumer_offsets.c
    record = sa.func.coalesce(columns.record_offset, columns.next_offset - 1)
    query = sa.select(columns.topic, columns.partition, columns.next_offset, columns.log_id, columns.fingerprint, record)
    return {(row.topic, row.partition): Position(*row) for row in connection.execute(query)}


def ends(connection: sa.Connection) -> dict[tuple[str, int], tuple[int, int]]:
    """The end of each log when it was last read, and how far it could be read then, by topic and partition."""
    columns = consumer_offsets.c
    query = sa.select(columns.topic, columns.partition, columns.end_offset, columns.readable_offset)
    return {(row.topic, row.partition): (row.end_offset, row.readable_offset) for row in connection.execute(query)}


def all_read(connection: sa.Connection) -> bool:
    """Whether nothing that a consumer has seen on a log, and that can be read, waits to be read, by whomever.

    Nothing can be read of a partition that is set aside.
    """
    columns = consumer_offsets.c
    name = columns.topic + ":" + sa.cast(columns.partition, sa.Text)
    aside = sa.exists().where(failures.c.model == "", failures.c.stage == "partition", failures.c.part == name)
    waiting = sa.select(columns.topic).where(columns.next_offset < columns.readable_offset, ~aside).limit(1)
    return connection.execute(waiting).first() is None


def note_end(connection: sa.Connection, position: Position, end: int, start: int) -> None:
    """Write down how far a log reaches of which nothing can be read further; its position stays; a new one's is ``start``."""
    table = consumer_offsets
    key = {"topic": position.topic, "partition": position.partition}
    fresh = {"next_offset": start, "log_id": position.log_id, "fingerprint": "", "end_offset": end, "readable_offset": end}
    later = {name: sa.func.greatest(table.c[name], end) for name in ("end_offset", "readable_offset")}
    statement = insert(table).values(key | fresh)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=later))


def restart(connection: sa.Connection, stored: Position, log_id: str) -> None:
    """Record that a partition's log began again: reading goes on from its beginning, unless somebody does so already."""
    table = consumer_offsets
    here = (table.c.topic == stored.topic, table.c.partition == stored.partition)
    same = (table.c.next_offset == stored.next_offset, table.c.fingerprint == stored.fingerprint)
    nothing = {"next_offset": 0, "end_offset": 0, "readable_offset": 0, "fingerprint": "", "record_offset": None}
    again = nothing | {"log_id": log_id, "restarts": table.c.restarts + 1}
    connection.execute(sa.update(table).where(*here, *same).values(**again))


def skip(connection: sa.Connection, gap: Gap, *, by_person: bool = False) -> bool:
    """Record a gap, and that reading goes on after it; False where the position is another by now."""
    table = consumer_offsets
    here = (table.c.topic == gap.topic, table.c.partition == gap.partition, table.c.next_offset == gap.first)
    moved = sa.update(table).where(*here).values(next_offset=gap.next, fingerprint="", record_offset=None)
    if connection.execute(moved.returning(table.c.topic)).first() is None:
        return False
    row = {"topic": gap.topic, "partition": gap.partition, "log_id": gap.log_id, "first_offset": gap.first}
    passed = {"next_offset": gap.next, "skipped": by_person}
    connection.execute(insert(log_gaps).values(row | passed).on_conflict_do_nothing())
    return True


def hold_windows(connection: sa.Connection, model: str) -> None:
    """Nobody else writes predictions of this model, or closes its windows, until the transaction ends."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"{WINDOWS_LOCK}{model}", 0))))


@contextmanager
def ingesting(engine: sa.Engine) -> Iterator[None]:
    """Say for as long as the block lasts, or this process, that the log is being read by a long-running member."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock_shared(*INGESTING)))
        try:
            yield
        finally:
            connection.invalidate()  # its session ends, and the lock with it


def is_ingested(connection: sa.Connection) -> bool:
    """Whether some member is at work."""
    query = """
        SELECT EXISTS (
            SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
            WHERE locktype = 'advisory' AND datname = current_database() AND (classid, objid) = (:class, :object)
        )"""
    found: bool = connection.execute(sa.text(query), {"class": INGESTING[0], "object": INGESTING[1]}).scalar_one()
    return found


class LogWriter:
    """Writes batches to one database, and makes the partitions that they need ahead of them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._months: set[str] = set()

    def write(self, batch: Batch) -> Written | None:
        """Write a batch; what the database refuses of it becomes a dead letter.

        Raises:
            EventError: when it refuses what was a dead letter already.

        Returns:
            What became of it; None when these partitions do not stand where the batch begins: nothing was written, read again.
        """
        for _ in range(ATTEMPTS):
            self._make_partitions(batch)
            try:
                return self._write(batch)
            except (errors.DeadlockDetected, errors.CheckViolation):
                self._months.clear()  # a row without a partition: it was dropped meanwhile
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
            if not _hold(connection, batch.steps):
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
        """The batch with every row that the database refuses on its own moved to the dead letters."""
        dead = list(batch.dead)
        kept = []
        for rows, store in ((batch.predictions, bulk_copy.store_predictions), (batch.outcomes, bulk_copy.store_outcomes)):
            refused = dict(self._refused(store, rows.lines, 0))
            dead += _dead(batch, rows, refused)
            kept.append(rows.picked([at for at in range(len(rows)) if at not in refused]))
        return Batch(kept[0], kept[1], dead, batch.steps)

    def _refused(self, store: Any, lines: Sequence[str], first: int) -> list[tuple[int, str]]:
        """The places of the rows that cannot be stored, and why; found by halves, each tried and rolled back."""
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
    """The records at some places as dead letters, each with its reason.

    Raises:
        EventError: when the batch is a dead letter already, and stays one.
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
    """The driver's own: SQLAlchemy knows no COPY."""
    cursor: Any = connection.connection.cursor()
    assert isinstance(cursor, psycopg.Cursor)
    return cursor


def _hold(connection: sa.Connection, steps: Sequence[Step]) -> bool:
    """Lock the offsets' rows (made where missing), in one order; False where one does not stand where its step begins."""
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
    held = sa.select(*columns).where(sa.tuple_(table.c.topic, table.c.partition).in_(list(wanted))).order_by(*columns[:2])
    found = {(row.topic, row.partition): (row.next_offset, row.log_id) for row in connection.execute(held.with_for_update())}
    return found == wanted


def _write_dead_letters(connection: sa.Connection, dead: Sequence[DeadLetter]) -> None:
    if dead:
        rows = [{name: getattr(letter, name) for name in DeadLetter.__slots__} for letter in dead]
        texts = [row | {"reason": row["reason"].replace("\0", "\\0")[:REASON_CHARACTERS]} for row in rows]
        connection.execute(insert(dead_letters).on_conflict_do_nothing(), texts)


def _move_clocks(connection: sa.Connection, arrived: Sequence[Arrived]) -> None:
    if not arrived:
        return
    seen = wall_clock()
    statement = insert(clocks)
    later = {
        "newest": sa.func.greatest(clocks.c.newest, statement.excluded.newest),
        "seen_at": statement.excluded.seen_at,
    }
    rows = [{"model": one.model, "partition": one.partition, "newest": one.newest, "seen_at": seen} for one in arrived]
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
