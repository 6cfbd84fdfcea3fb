"""The prediction log: nothing lost, nothing waits, whatever the broker and the disk do."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from everfit.errors import ServiceError
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import KafkaLogProducer, Record
from everfit.serving.spool import Spool
from tests.serving import MemoryProducer

Open = Callable[..., PredictionLog]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the spool lies."""
    return tmp_path / "spool" / "predictions.jsonl"


@pytest.fixture
def producer() -> MemoryProducer:
    """A broker in memory."""
    return MemoryProducer()


@pytest.fixture
def opened(producer: MemoryProducer, path: Path) -> Iterator[Open]:
    """Opens logs on the outlet and the spool; closes them with the test."""
    logs: list[PredictionLog] = []

    def make(capacity_rows: int = 1_000) -> PredictionLog:
        logs.append(PredictionLog(producer, Spool(path), capacity_rows))
        return logs[-1]

    yield make
    producer.open.set()
    for log in logs:
        log.close()


def content(path: Path) -> bytes:
    """What lies in the files of a spool."""
    return b"".join(file.read_bytes() for file in path.parent.glob("*.jsonl"))


def set_aside(path: Path) -> list[str]:
    """The records that a spool has set aside."""
    rejected = path.with_suffix(".rejected")
    return [json.loads(line)["record"] for line in rejected.read_text().splitlines()] if rejected.exists() else []


def record(number: int) -> Record:
    """A record of entity NSW."""
    return Record(b"NSW", b'{"entity":"NSW","number":%d}' % number)


def test_records_arrive_in_order(opened: Open, producer: MemoryProducer) -> None:
    log = opened(capacity_rows=5_000)
    for number in range(2_000):
        log.add(record(number))
    log.flush(5)
    assert producer.taken == [record(number) for number in range(2_000)]
    assert (log.buffered, log.spooled, log.acknowledged) == (0, 0, 2_000)


def test_a_broker_that_is_away_is_spooled_for_and_caught_up_in_order(
    opened: Open, producer: MemoryProducer, path: Path
) -> None:
    log = opened()
    producer.away.set()
    for number in range(100):
        log.add(record(number))
    with pytest.raises(ServiceError, match=r"Kafka has not acknowledged 100 predictions within 0.3 s"):
        log.flush(0.3)
    assert (log.buffered, log.spooled) == (0, 100)
    assert content(path).count(b"\n") == 100
    producer.away.clear()
    for number in range(100, 200):
        log.add(record(number))
    log.flush(5)
    assert producer.taken == [record(number) for number in range(200)]
    assert (log.spooled, content(path)) == (0, b"")


def test_a_broker_that_hangs_does_not_slow_anybody(opened: Open, producer: MemoryProducer) -> None:
    log = opened(capacity_rows=50)
    producer.open.clear()
    log.add(record(0))
    assert producer.tried.wait(5)  # the sender is stuck from here on
    for number in range(1, 101):
        log.add(record(number))
    assert (log.buffered, log.spooled) == (49, 51)
    producer.open.set()
    log.flush(5)
    assert producer.taken == [record(number) for number in range(101)]


def test_what_is_left_at_the_end_is_sent(opened: Open, producer: MemoryProducer) -> None:
    log = opened()
    log.add(record(1))
    log.close()
    assert producer.taken == [record(1)]


def test_what_cannot_be_sent_at_the_end_is_there_for_the_next_process(opened: Open, producer: MemoryProducer) -> None:
    first = opened()
    producer.away.set()
    for number in range(3):
        first.add(record(number))
    first.close()
    assert producer.taken == []
    producer.away.clear()
    second = opened()
    second.add(record(3))
    second.flush(5)
    assert producer.taken == [record(number) for number in range(4)]


def test_flush_of_nothing_returns(opened: Open) -> None:
    opened().flush(0.1)


def test_a_disk_that_takes_nothing_keeps_records_in_memory(
    opened: Open, producer: MemoryProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def full(*_: object) -> None:
        refused.set()
        raise OSError("no space left on device")

    log = opened()
    producer.away.set()
    with monkeypatch.context() as patched:
        patched.setattr(Spool, "append", full)
        log.add(record(1))
        assert refused.wait(5)
        producer.away.clear()
    log.flush(5)
    assert producer.taken == [record(1)]


@pytest.mark.parametrize("culprits", [{0}, {7}, {99}, {0, 1, 2}, {3, 50, 98}, set(range(100))])
def test_what_kafka_will_never_take_is_set_aside_and_what_follows_goes_on(
    opened: Open, producer: MemoryProducer, path: Path, culprits: set[int]
) -> None:
    producer.refused = {record(number).value for number in culprits}
    log = opened()
    for number in range(100):
        log.add(record(number))
    log.flush(5)
    wanted = [record(number) for number in range(100) if number not in culprits]
    assert list(dict.fromkeys(producer.taken)) == wanted, "some may be sent twice, none is lost, in order"
    assert (log.rejected, log.acknowledged, log.buffered, log.spooled) == (len(culprits), len(wanted), 0, 0)
    assert set_aside(path) == [record(number).value.decode() for number in sorted(culprits)]


def test_what_kafka_will_never_take_holds_nothing_up_in_the_spool_either(
    opened: Open, producer: MemoryProducer, path: Path
) -> None:
    first = opened()
    producer.away.set()
    for number in range(50):
        first.add(record(number))
    first.close()
    producer.refused = {record(20).value}
    second = opened()
    with pytest.raises(ServiceError):
        second.flush(0.2)
    assert (second.rejected, set_aside(path)) == (0, []), "a broker that is away is no reason to set anything aside"
    producer.away.clear()
    second.flush(5)
    assert list(dict.fromkeys(producer.taken)) == [record(number) for number in range(50) if number != 20]
    assert (second.rejected, second.spooled) == (1, 0)


def test_a_disk_that_takes_nothing_aside_loses_nothing(
    opened: Open, producer: MemoryProducer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.Event()

    def refuse(*_: object) -> None:
        full.set()
        raise OSError("no space left on device")

    producer.refused = {record(1).value}
    log = opened()
    with monkeypatch.context() as patched:
        patched.setattr(Spool, "reject", refuse)
        for number in range(3):
            log.add(record(number))
        assert full.wait(5)
    log.flush(5)
    assert set(producer.taken) == {record(0), record(2)}
    assert set_aside(path) == [record(1).value.decode()]


def test_whatever_goes_wrong_the_log_goes_on(opened: Open, producer: MemoryProducer) -> None:
    producer.broken.set()
    log = opened()
    log.add(record(1))
    assert producer.tried.wait(5)
    producer.broken.clear()
    log.flush(5)
    assert producer.taken == [record(1)]


def test_no_broker_is_told() -> None:
    producer = KafkaLogProducer("127.0.0.1:1", "everfit.predictions", timeout_seconds=0.2)
    with pytest.raises(ServiceError, match="Kafka does not answer at"):
        producer.send([record(1)])
    producer.close()
