"""What producers compress is read, whatever the codec; what cannot be read is told by name and holds up its partition alone."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import kafka.codec
import pytest
import sqlalchemy as sa
from kafka import KafkaProducer, TopicPartition

from everfit.environment.kafka_options import options
from everfit.errors import UnreadableError
from everfit.stack import apache_kafka as apache
from everfit.stack.ports import LOCAL, any_free
from everfit.store import failures, log, log_state
from everfit.store.lake import Lake
from everfit.store.tables import failures as failures_table
from everfit.store.tables import log_gaps, outcomes
from everfit.timing import wall_clock
from everfit.topics.admin import create_topics
from everfit.topics.events import OUTCOMES, encode
from everfit.waiting import wait_until
from monitors import unreadable_partitions
from monitors.group_reader import ingest
from monitors.log_pass import run_pass
from monitors.pass_result import PassResult
from monitors.unreadable_records import skip
from tests.brokers import ON_KAFKA, remake_topics, running_broker, started
from tests.events import MODEL, outcome, prediction, produce

MODELS = {MODEL.name: MODEL}
CODECS = ("gzip", "snappy", "lz4", "zstd")
PARTITIONS = 3


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """One broker for all of these tests."""
    with running_broker(partitions=PARTITIONS) as address:
        yield address


@pytest.fixture
def kafka_address(server: str) -> str:
    """Its address; everfit's topics are empty."""
    remake_topics(server, partitions=PARTITIONS)
    return server


def read(engine: sa.Engine, lake: Lake, address: str) -> PassResult:
    return run_pass(engine, lake, address, MODELS, linger_seconds=0.0)


def send(address: str, numbers: range, *, partition: int, codec: str | None = None) -> None:
    """Outcomes, in one batch."""
    with closing(KafkaProducer(**options(address), acks="all", compression_type=codec, linger_ms=200)) as producer:
        for number in numbers:
            producer.send(OUTCOMES, partition=partition, value=encode(outcome(number)))
        producer.flush()


def stored(engine: sa.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(sa.select(outcomes.c.request_id)).scalars())


def requests(*numbers: range) -> set[str]:
    return {f"request-{number}" for some in numbers for number in some}


def set_aside(engine: sa.Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return {str(failure.part): failure.error for failure in failures.listed(connection)}


def let_retry(engine: sa.Engine) -> None:
    """The back-off of everything that is set aside is over."""
    with engine.begin() as connection:
        connection.execute(sa.update(failures_table).values(retry_at=wall_clock() - timedelta(seconds=1)))


@pytest.mark.parametrize("codec", CODECS)
def test_what_a_producer_compresses_is_read(engine: sa.Engine, lake: Lake, kafka_address: str, codec: str) -> None:
    send(kafka_address, range(5), partition=0)
    send(kafka_address, range(5, 10), partition=0, codec=codec)
    send(kafka_address, range(10, 15), partition=0)
    assert read(engine, lake, kafka_address).outcomes == {MODEL.name: 15}
    assert stored(engine) == requests(range(15))


@contextmanager
def without_library(codec: str) -> Iterator[None]:
    """As on a machine where the codec's library is not installed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kafka.codec, f"has_{codec}", lambda: False)
        yield


def test_a_codec_without_its_library_holds_up_its_partition_alone(engine: sa.Engine, lake: Lake, kafka_address: str) -> None:
    send(kafka_address, range(5), partition=0)
    send(kafka_address, range(5, 10), partition=0, codec="zstd")
    send(kafka_address, range(10, 15), partition=0)
    send(kafka_address, range(100, 110), partition=1)
    with without_library("zstd"):
        for _ in range(2):
            read(engine, lake, kafka_address)
        send(kafka_address, range(110, 120), partition=1)
        read(engine, lake, kafka_address)
        assert stored(engine) == requests(range(5), range(100, 120))
        ((name, reason),) = set_aside(engine).items()
        assert name == f"partition {OUTCOMES}:0"
        assert reason.startswith("nothing can be read from offset 5 on: UnsupportedCodecError: Libraries for zstd")
        with engine.connect() as connection:
            assert {one.topic: one.lag for one in log_state.topics(connection)}[OUTCOMES] == 10
            assert log.all_read(connection), "windows do not wait for it"
        let_retry(engine)
        read(engine, lake, kafka_address)
        (failure,) = listed(engine)
        assert failure.attempts == 2, "tried once more, and only then"
    read(engine, lake, kafka_address)
    assert OUTCOMES in next(iter(set_aside(engine))), "the back-off is not over"
    let_retry(engine)
    read(engine, lake, kafka_address)
    assert stored(engine) == requests(range(15), range(100, 120))
    assert set_aside(engine) == {}


def listed(engine: sa.Engine) -> list[failures.Failure]:
    with engine.connect() as connection:
        return list(failures.listed(connection))


def test_a_person_skips_what_cannot_be_read_and_nothing_more(engine: sa.Engine, lake: Lake, kafka_address: str) -> None:
    send(kafka_address, range(3), partition=0, codec="lz4")  # not even the first record can be read
    send(kafka_address, range(3, 6), partition=0)
    send(kafka_address, range(6, 9), partition=0, codec="lz4")
    with without_library("lz4"):
        with pytest.raises(UnreadableError, match="is not isolated"):
            skip(engine, kafka_address, TopicPartition(OUTCOMES, 0))
        for first, following in ((0, 3), (6, 9)):
            read(engine, lake, kafka_address)
            gap = skip(engine, kafka_address, TopicPartition(OUTCOMES, 0))
            assert (gap.first, gap.next) == (first, following)
        read(engine, lake, kafka_address)
    assert stored(engine) == requests(range(3, 6))
    assert set_aside(engine) == {}
    with engine.connect() as connection:
        (state,) = log_state.topics(connection)
        assert (state.gaps, state.missing, state.lag) == (2, 6, 0)
        assert log_state.deleted(connection, timedelta(days=1)) == [], "nobody is told that retention deleted them"
        assert list(connection.execute(sa.select(log_gaps.c.skipped)).scalars()) == [True, True]


def test_what_can_be_read_by_now_is_not_skipped(engine: sa.Engine, lake: Lake, kafka_address: str) -> None:
    send(kafka_address, range(3), partition=0, codec="snappy")
    with without_library("snappy"):
        read(engine, lake, kafka_address)
    with pytest.raises(UnreadableError, match="is readable at offset 0: nothing was skipped"):
        skip(engine, kafka_address, TopicPartition(OUTCOMES, 0))


def test_ingest_reads_the_others_on_and_goes_on_where_a_person_skipped(
    engine: sa.Engine, lake: Lake, kafka_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unreadable_partitions, "LOOK_SECONDS", 0.2)
    send(kafka_address, range(5), partition=0, codec="zstd")
    send(kafka_address, range(5, 10), partition=0)
    stop = threading.Event()
    member = threading.Thread(target=ingest, args=(engine, lake, kafka_address, MODELS, stop))
    with without_library("zstd"):
        member.start()
        try:
            wait_until(lambda: set_aside(engine), lambda one: len(one) == 1, "it to be set aside;", stall_seconds=60)
            send(kafka_address, range(20, 25), partition=1)
            await_stored(engine, requests(range(20, 25)))
            skip(engine, kafka_address, TopicPartition(OUTCOMES, 0))
            await_stored(engine, requests(range(5, 10), range(20, 25)))
        finally:
            stop.set()
            member.join(60)
    assert not member.is_alive()


def await_stored(engine: sa.Engine, wanted: set[str]) -> None:
    wait_until(lambda: stored(engine), lambda found: found == wanted, f"{sorted(wanted)};", stall_seconds=60)


@pytest.mark.skipif(not ON_KAFKA, reason="the broker from the wheel keeps no files to damage; make test-kafka runs it")
@pytest.mark.parametrize("place", ["the last record", "the batch's head"])
def test_a_damaged_batch_is_told_and_holds_up_its_partition_alone(engine: sa.Engine, lake: Lake, place: str) -> None:
    """Bytes of the log's own file are changed on the disk, between two lives of the broker."""
    with TemporaryDirectory() as name:
        folder, port = Path(name), any_free()
        address = f"{LOCAL}:{port}"
        with running(folder, port):
            create_topics(address, partitions=PARTITIONS)
            sizes = [0]
            segment = folder / "data" / f"{OUTCOMES}-0" / "00000000000000000000.log"
            for first in (0, 5, 10):
                send(address, range(first, first + 5), partition=0)
                sizes.append(segment.stat().st_size)
            send(address, range(100, 105), partition=1)
        content = bytearray(segment.read_bytes())
        content[sizes[2] - 10 if place == "the last record" else sizes[1] + 22] ^= 0x55  # 22: attributes, codec among them
        segment.write_bytes(content)
        with running(folder, port):
            read(engine, lake, address)
            assert stored(engine) == requests(range(5), range(100, 105))
            ((part, reason),) = set_aside(engine).items()
            assert part == f"partition {OUTCOMES}:0"
            assert reason.startswith("nothing can be read from offset 5 on: ")
            assert "CorruptRecordError" in reason
            gap = skip(engine, address, TopicPartition(OUTCOMES, 0))
            assert (gap.first, gap.next) == (5, 10)
            produce(address, [outcome(200), prediction(1)])
            read(engine, lake, address)
            assert stored(engine) == requests(range(5), range(10, 15), range(100, 105), range(200, 201))


@contextmanager
def running(folder: Path, port: int) -> Iterator[None]:
    """Apache Kafka over a folder, stopped cleanly: after a kill it would examine its files and cut off what is damaged."""
    command = apache.prepare(folder, port)
    with started(command, f"{LOCAL}:{port}", gently=True):
        yield
