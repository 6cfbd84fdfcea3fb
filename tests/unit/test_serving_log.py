"""The prediction log: nothing lost, nothing waits, whatever the broker and the disk do."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from everfit.errors import ServiceError
from everfit.serving.outlet import KafkaOutlet, Record
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.spool import Spool
from tests.serving import MemoryOutlet

Open = Callable[..., PredictionLog]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the spool lies."""
    return tmp_path / "spool" / "predictions.jsonl"


@pytest.fixture
def outlet() -> MemoryOutlet:
    """A broker in memory."""
    return MemoryOutlet()


@pytest.fixture
def opened(outlet: MemoryOutlet, path: Path) -> Iterator[Open]:
    """Opens logs on the outlet and the spool; closes them with the test."""
    logs: list[PredictionLog] = []

    def make(capacity_rows: int = 1_000) -> PredictionLog:
        logs.append(PredictionLog(outlet, Spool(path), capacity_rows))
        return logs[-1]

    yield make
    outlet.open.set()
    for log in logs:
        log.close()


def record(number: int) -> Record:
    """A record of entity NSW."""
    return Record(b"NSW", b'{"entity":"NSW","number":%d}' % number)


def test_records_arrive_in_order(opened: Open, outlet: MemoryOutlet) -> None:
    log = opened(capacity_rows=5_000)
    for number in range(2_000):
        log.add(record(number))
    log.flush(5)
    assert outlet.taken == [record(number) for number in range(2_000)]
    assert (log.buffered, log.spooled, log.acknowledged) == (0, 0, 2_000)


def test_a_broker_that_is_away_is_spooled_for_and_caught_up_in_order(opened: Open, outlet: MemoryOutlet, path: Path) -> None:
    log = opened()
    outlet.away.set()
    for number in range(100):
        log.add(record(number))
    with pytest.raises(ServiceError, match=r"Kafka has not taken 100 predictions within 0.3 s"):
        log.flush(0.3)
    assert (log.buffered, log.spooled) == (0, 100)
    assert path.read_bytes().count(b"\n") == 100
    outlet.away.clear()
    for number in range(100, 200):
        log.add(record(number))
    log.flush(5)
    assert outlet.taken == [record(number) for number in range(200)]
    assert (log.spooled, path.read_bytes()) == (0, b"")


def test_a_broker_that_hangs_does_not_slow_anybody(opened: Open, outlet: MemoryOutlet) -> None:
    log = opened(capacity_rows=50)
    outlet.open.clear()
    log.add(record(0))
    assert outlet.tried.wait(5)  # the sender is stuck from here on
    for number in range(1, 101):
        log.add(record(number))
    assert (log.buffered, log.spooled) == (49, 51)
    outlet.open.set()
    log.flush(5)
    assert outlet.taken == [record(number) for number in range(101)]


def test_what_is_left_at_the_end_is_sent(opened: Open, outlet: MemoryOutlet) -> None:
    log = opened()
    log.add(record(1))
    log.close()
    assert outlet.taken == [record(1)]


def test_what_cannot_be_sent_at_the_end_is_there_for_the_next_process(opened: Open, outlet: MemoryOutlet) -> None:
    first = opened()
    outlet.away.set()
    for number in range(3):
        first.add(record(number))
    first.close()
    assert outlet.taken == []
    outlet.away.clear()
    second = opened()
    second.add(record(3))
    second.flush(5)
    assert outlet.taken == [record(number) for number in range(4)]


def test_flush_of_nothing_returns(opened: Open) -> None:
    opened().flush(0.1)


def test_a_disk_that_takes_nothing_keeps_records_in_memory(
    opened: Open, outlet: MemoryOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def full(*_: object) -> None:
        refused.set()
        raise OSError("no space left on device")

    log = opened()
    outlet.away.set()
    with monkeypatch.context() as patched:
        patched.setattr(Spool, "append", full)
        log.add(record(1))
        assert refused.wait(5)
        outlet.away.clear()
    log.flush(5)
    assert outlet.taken == [record(1)]


def test_a_line_that_was_half_written_is_cut_off(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"entity":"NSW"}\n{"enti')
    spool = Spool(path)
    assert len(spool) == 1
    spool.append([b'{"entity":"VIC"}'])
    assert spool.peek(9) == [b'{"entity":"NSW"}', b'{"entity":"VIC"}']


def test_the_spool_is_read_on_from_where_it_was_dropped(path: Path) -> None:
    spool = Spool(path)
    spool.append([b"1", b"22", b"333"])
    spool.drop(spool.peek(2))
    spool.append([b"4444"])
    assert spool.peek(5) == [b"333", b"4444"]
    assert len(spool) == 2


def test_no_broker_is_told() -> None:
    outlet = KafkaOutlet("127.0.0.1:1", "everfit.predictions", timeout_seconds=0.2)
    with pytest.raises(ServiceError, match="Kafka does not answer at"):
        outlet.send([record(1)])
    outlet.close()
