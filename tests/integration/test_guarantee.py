"""The guarantee as a property: the store holds exactly what the records before its offsets say.

That is so however events are produced, written and delivered again, and wherever consumers crash or take over from each other.

The model is plain: a log is a list of records a partition, and a row is there when its record lies before the stored offset.
"""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everfit.store import log
from everfit.store.database import create_engine
from everfit.store.log import Batch, DeadLetter, LogWriter, Position, Step
from everfit.store.tables import clocks, consumer_offsets, dead_letters, outcomes, predictions
from everfit.topics.events import OUTCOMES, PREDICTIONS, Outcome, Prediction
from everfit.waiting import wait_until
from tests.events import outcome, prediction, rows

PARTITIONS = [(PREDICTIONS, 0), (PREDICTIONS, 1), (OUTCOMES, 0)]
POISON = -1
POINTS = 9  # as many statements and commits as a batch of all partitions has, and one

Partition = tuple[str, int]


class CrashError(Exception):
    """The consumer died here."""


@dataclass(slots=True)
class Produce:
    """Records at the end of a partition: numbers of requests, some of which come again, or poison."""

    partition: Partition
    numbers: list[int]


@dataclass(slots=True)
class Write:
    """A consumer writes up to so many records of each partition from where it stands.

    It may crash before the statement or commit of that number; or right after the last commit, and know nothing of it.
    """

    consumer: int
    records: int
    crash_before: int | None
    forgets: bool


@dataclass(slots=True)
class TakeOver:
    """A consumer begins where the store says, as after a rebalance."""

    consumer: int


@dataclass(slots=True)
class Rewind:
    """A consumer stands so many records further back, and would write them once more."""

    consumer: int
    records: int


@dataclass(slots=True)
class Remake:
    """A partition's log is deleted and made again, and noticed."""

    partition: Partition


consumers = st.integers(0, 1)
partitions = st.sampled_from(PARTITIONS)
numbers = st.one_of(st.just(POISON), st.integers(0, 99), st.integers(0, 99))
logs = st.fixed_dictionaries({partition: st.lists(numbers, min_size=12, max_size=24) for partition in PARTITIONS})
writes = st.builds(Write, consumers, st.integers(1, 4), st.sampled_from([None, *range(POINTS)]), st.booleans())
actions = st.lists(
    st.one_of(
        st.builds(Produce, partitions, st.lists(numbers, min_size=1, max_size=8)),
        writes,
        writes,
        writes,
        st.builds(TakeOver, consumers),
        st.builds(Rewind, consumers, st.integers(1, 6)),
        st.builds(Remake, partitions),
    ),
    min_size=16,
    max_size=32,
)


@dataclass(slots=True)
class World:
    """The logs, where each consumer thinks that it stands, and what must be stored of logs that are gone."""

    engine: sa.Engine
    writers: list[LogWriter]
    logs: dict[Partition, list[int]]
    made: dict[Partition, int] = field(default_factory=lambda: dict.fromkeys(PARTITIONS, 1))
    stands: list[dict[Partition, int]] = field(default_factory=lambda: [dict.fromkeys(PARTITIONS, 0) for _ in range(2)])
    kept: set[Any] = field(default_factory=set)

    def do(self, action: Produce | Write | TakeOver | Rewind | Remake) -> None:
        match action:
            case Produce(partition, numbers):
                self.logs[partition] += numbers
            case Write():
                self.write(action)
            case TakeOver(consumer):
                self.stands[consumer] = self.stored_offsets()
            case Rewind(consumer, records):
                self.stands[consumer] = {key: max(0, at - records) for key, at in self.stands[consumer].items()}
            case Remake(partition):
                self.remake(partition)

    def write(self, action: Write) -> None:
        """One batch through the real store."""
        stands = self.stands[action.consumer]
        ends = {key: min(len(self.logs[key]), stands[key] + action.records) for key in PARTITIONS}
        moved = [key for key in PARTITIONS if ends[key] > stands[key]]
        if not moved:
            return
        batch = self.batch({key: range(stands[key], ends[key]) for key in moved})
        with contextlib.suppress(CrashError), crashing(self.engine, action.crash_before):
            if self.writers[action.consumer].write(batch) is None:
                self.stands[action.consumer] = self.stored_offsets()
            elif not action.forgets:
                stands |= ends

    def batch(self, spans: dict[Partition, range]) -> Batch:
        """The records of these spans, decoded as the reader does."""
        answered: list[Prediction] = []
        observed: list[Outcome] = []
        dead: list[DeadLetter] = []
        for key, span in spans.items():
            for offset in span:
                number = self.logs[key][offset]
                if number == POISON:
                    dead.append(DeadLetter(*key, offset, self.log_id(key), b"poison", "poison"))
                elif key[0] == PREDICTIONS:
                    answered.append(prediction(number))
                else:
                    observed.append(outcome(number))
        steps = [Step(span.start, Position(*key, span.stop, self.log_id(key), ""), span.stop) for key, span in spans.items()]
        return Batch(rows(answered), rows(observed), dead, steps)

    def remake(self, partition: Partition) -> None:
        """What was stored of the log that goes stays; consumers begin the new one at its beginning."""
        self.kept |= self.expected_of(partition)
        self.logs[partition], self.made[partition] = [], self.made[partition] + 1
        with self.engine.begin() as connection:
            stored = log.positions(connection).get(partition)
            if stored:
                log.restart(connection, stored, self.log_id(partition))
        for stands in self.stands:
            stands[partition] = 0

    def log_id(self, partition: Partition) -> str:
        return f"log {self.made[partition]}"

    def stored_offsets(self) -> dict[Partition, int]:
        with self.engine.connect() as connection:
            positions = log.positions(connection)
        return {key: positions[key].next_offset if key in positions else 0 for key in PARTITIONS}

    def expected_of(self, partition: Partition) -> set[Any]:
        """What the records before the stored offset say."""
        offset = self.stored_offsets()[partition]
        letter = (*partition, self.log_id(partition))
        return {
            (*letter, at) if number == POISON else (partition[0], f"request-{number}")
            for at, number in enumerate(self.logs[partition][:offset])
        }

    def expected(self) -> set[Any]:
        return self.kept.union(*(self.expected_of(partition) for partition in PARTITIONS))

    def stored(self) -> list[Any]:
        letter = dead_letters.c
        with self.engine.connect() as connection:
            answered = connection.execute(sa.select(predictions.c.request_id)).scalars().all()
            observed = connection.execute(sa.select(outcomes.c.request_id)).scalars().all()
            dead = connection.execute(sa.select(letter.topic, letter.partition, letter.log_id, letter.offset)).all()
        return [*((PREDICTIONS, name) for name in answered), *((OUTCOMES, name) for name in observed), *map(tuple, dead)]


@contextlib.contextmanager
def crashing(engine: sa.Engine, before: int | None) -> Iterator[None]:
    """Raise before the statement or commit of that number: whatever transaction is open is rolled back there."""
    count = 0

    def on_point(*_: object) -> None:
        nonlocal count
        if count == before:
            raise CrashError
        count += 1

    sa.event.listen(engine, "before_cursor_execute", on_point)
    sa.event.listen(engine, "commit", on_point)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", on_point)
        sa.event.remove(engine, "commit", on_point)


@pytest.fixture
def writers(engine: sa.Engine) -> list[LogWriter]:
    """One a consumer."""
    return [LogWriter(engine) for _ in range(2)]


@settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(logs, actions)
def test_the_store_is_what_the_records_before_its_offsets_say(
    engine: sa.Engine,
    writers: list[LogWriter],
    began_as: dict[Partition, list[int]],
    steps: list[Produce | Write | TakeOver | Rewind | Remake],
) -> None:
    with engine.begin() as connection:
        for table in (predictions, outcomes, dead_letters, consumer_offsets, clocks):
            connection.execute(sa.delete(table))
    world = World(engine, writers, began_as)
    for step in steps:
        before = (world.stored_offsets(), dict(world.made))
        world.do(step)
        after = world.stored_offsets()
        assert all(after[key] >= before[0][key] or world.made[key] > before[1][key] for key in PARTITIONS), "never backwards"
        found = world.stored()
        assert len(found) == len(set(found)), "nothing twice"
        assert set(found) == world.expected()
    world.do(TakeOver(0))
    world.do(Write(0, 10_000, None, forgets=False))
    assert world.stored_offsets() == {key: len(records) for key, records in world.logs.items()}
    assert set(world.stored()) == world.expected(), "read to the end, all of it is there"


def test_a_consumer_that_takes_over_while_the_other_still_writes_waits_and_is_refused(
    engine: sa.Engine, writers: list[LogWriter]
) -> None:
    """As in a rebalance: of two that stand at one offset, whoever locks its row first writes; the other stores nothing."""
    writing, go_on = threading.Event(), threading.Event()
    here, world = (PREDICTIONS, 0), World(engine, writers, {partition: [0, 1, 2, 3] for partition in PARTITIONS})

    def hold_still(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE consumer_offsets"):
            writing.set()
            assert go_on.wait(60)

    slow = create_engine(engine.url.render_as_string(hide_password=False))
    try:
        writer = LogWriter(slow)
        assert writer.write(world.batch({here: range(1)})), "the partition of the rows is made"
        sa.event.listen(slow, "before_cursor_execute", hold_still)
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(writer.write, world.batch({here: range(1, 3)}))
            assert writing.wait(60)
            second = threads.submit(writers[1].write, world.batch({here: range(1, 4)}))
            wait_until(lambda: waits_for_a_lock(engine), bool, "the second consumer to wait for the first;")
            go_on.set()
            assert first.result(60)
            assert second.result(60) is None
    finally:
        go_on.set()
        slow.dispose()
    assert world.stored_offsets()[here] == 3
    assert set(world.stored()) == world.expected()


def waits_for_a_lock(engine: sa.Engine) -> bool:
    query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
    with engine.connect() as connection:
        return bool(connection.execute(sa.text(query)).scalar())
