"""`everfit ingest`: members that come and go share the partitions; nothing is lost, nothing doubled, nobody sticks."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from everfit.store.lake import Lake
from everfit.store.tables import consumer_offsets, outcomes, predictions, windows
from everfit.waiting import wait_until
from monitors.group_reader import ingest
from monitors.log_pass import run_pass
from monitors.pass_result import PassResult
from tests.brokers import ON_KAFKA, running_broker
from tests.events import MODEL, outcome, prediction, produce

MODELS = {MODEL.name: MODEL}
PARTITIONS = 4
SHARE = 200
WEEK = 7 * 48
JOIN_SECONDS = 120.0
OTHERS = (
    3 if ON_KAFKA else 1
)  # the broker from the wheel takes 5 s and more for a rebalance, and at times forgets a third member
SITES = [f"site-{number}" for number in range(11)]


@pytest.fixture
def kafka() -> Iterator[str]:
    """A broker whose topics have several partitions."""
    with running_broker(partitions=PARTITIONS) as address:
        yield address


class Member:
    """One member in a thread of its own."""

    def __init__(self, engine: sa.Engine, lake: Lake, kafka: str) -> None:
        self._stop = threading.Event()
        self.seen = PassResult()
        arguments = (engine, lake, kafka, MODELS, self._stop)
        self._thread = threading.Thread(target=ingest, args=arguments, kwargs={"result": self.seen})
        self._thread.start()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "a member that was told to stop ends"


@contextmanager
def joining(engine: sa.Engine, lake: Lake, kafka: str) -> Iterator[Callable[[], Member]]:
    members: list[Member] = []

    def join() -> Member:
        members.append(Member(engine, lake, kafka))
        return members[-1]

    try:
        yield join
    finally:
        for member in members:
            member.leave()


def sent(kafka: str, numbers: range) -> None:
    """Predictions and outcomes of some numbers, spread over the partitions by their entities."""
    produce(kafka, [*(prediction(n) for n in numbers), *(outcome(n) for n in numbers)], keys=SITES)


def stored(engine: sa.Engine) -> tuple[int, int]:
    with engine.connect() as connection:
        one, two = (
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (predictions, outcomes)
        )
    return one, two


def await_stored(engine: sa.Engine, wanted: int) -> None:
    wait_until(lambda: stored(engine), lambda found: found == (wanted, wanted), f"{wanted} rows of each", stall_seconds=60)


def sent_until_all_read(kafka: str, number: int, members: list[Member]) -> int:
    """Send on until each member has read something; returns the next number."""
    deadline = time.monotonic() + JOIN_SECONDS
    while not all(member.seen.predictions for member in members):
        assert time.monotonic() < deadline, "a member got no partition"
        sent(kafka, range(number, number + SHARE))
        number += SHARE
    return number


def test_members_that_come_and_go_lose_and_double_nothing(engine: sa.Engine, tmp_path: Path, kafka: str) -> None:
    lake = Lake(tmp_path / "lake")
    with joining(engine, lake, kafka) as join:
        first = join()
        number = sent_until_all_read(kafka, 0, [first])
        others = [join() for _ in range(OTHERS)]
        number = sent_until_all_read(kafka, number, others)
        for member in [first, *others[1:]]:
            member.leave()
            sent(kafka, range(number, number + SHARE))
            number += SHARE
        await_stored(engine, number)
        assert run_pass(engine, lake, kafka, MODELS, linger_seconds=0) == PassResult(), "the sensor leaves the reading to it"
    with engine.connect() as connection:
        offsets = connection.execute(sa.select(consumer_offsets)).all()
    assert sum(row.next_offset for row in offsets) == 2 * number, "every record was passed once, and none skipped"
    assert all(row.next_offset == row.end_offset for row in offsets)
    assert run_pass(engine, lake, kafka, MODELS, linger_seconds=0).predictions == {}, "and there is nothing left to read"
    with engine.connect() as connection:
        closed = connection.execute(sa.select(windows.c.rows)).scalars().all()
    assert set(closed) == {WEEK}, "each window was closed once, with all of its rows"
    assert len(closed) in {(number - 60) // WEEK, number // WEEK}
