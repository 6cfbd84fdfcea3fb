"""Producers that write in transactions: nothing aborted is read, and their markers hold nothing up (`make test-kafka`)."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from kafka import KafkaProducer

import monitors.log_reader
from everfit.environment.kafka_options import options
from everfit.store import log, log_state
from everfit.store.lake import Lake
from everfit.store.tables import outcomes, predictions, windows
from everfit.topics.events import OUTCOMES, PREDICTIONS, Outcome, Prediction, encode
from everfit.waiting import wait_until
from monitors.group_reader import ingest
from monitors.log_pass import run_pass
from monitors.log_reader import LogReader
from monitors.pass_result import PassResult
from tests.brokers import ON_KAFKA, remake_topics, running_broker
from tests.events import MODEL, outcome, prediction, produce

REASON = "the broker from the wheel cannot hide aborted records; make test-kafka runs it"
pytestmark = pytest.mark.skipif(not ON_KAFKA, reason=REASON)

MODELS = {MODEL.name: MODEL}
WEEK = 7 * 48
SEEDS = range(3)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """One broker for all of these tests."""
    with running_broker() as address:
        yield address


@pytest.fixture
def kafka(server: str) -> str:
    """Its address; everfit's topics are empty."""
    remake_topics(server)
    return server


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def read(engine: sa.Engine, lake: Lake, kafka: str) -> PassResult:
    return run_pass(engine, lake, kafka, MODELS, linger_seconds=0.0)


def stored(engine: sa.Engine) -> dict[str, float]:
    with engine.connect() as connection:
        return {row.request_id: row.outcome for row in connection.execute(sa.select(outcomes))}


def closed(engine: sa.Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(windows.c.rows)).scalars())


def lag(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return sum(one.lag for one in log_state.topics(connection))


class Writer:
    """A transactional producer."""

    def __init__(self, kafka: str, name: str) -> None:
        self._producer = KafkaProducer(**options(kafka), acks="all", transactional_id=name)
        self._producer.init_transactions()

    def begin(self) -> None:
        self._producer.begin_transaction()

    def write(self, *events: Prediction | Outcome) -> None:
        """Return when the brokers hold them, committed or not."""
        for event in events:
            self._producer.send(OUTCOMES if isinstance(event, Outcome) else PREDICTIONS, key=b"NSW", value=encode(event))
        self._producer.flush()

    def end(self, *, committed: bool) -> None:
        (self._producer.commit_transaction if committed else self._producer.abort_transaction)()

    def close(self) -> None:
        self._producer.close()


@contextmanager
def writing(kafka: str, name: str = "writer") -> Iterator[Writer]:
    with closing(Writer(kafka, name)) as writer:
        yield writer


@contextmanager
def ingesting(engine: sa.Engine, lake: Lake, kafka: str) -> Iterator[None]:
    """`everfit ingest` at work."""
    stop = threading.Event()
    thread = threading.Thread(target=ingest, args=(engine, lake, kafka, MODELS, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def test_what_was_aborted_is_never_stored_and_the_same_identity_committed_later_is(
    engine: sa.Engine, lake: Lake, kafka: str
) -> None:
    with writing(kafka) as writer:
        writer.begin()
        writer.write(*(outcome(number, 0.0) for number in range(20)))
        writer.end(committed=False)
        read(engine, lake, kafka)
        assert stored(engine) == {}
        writer.begin()
        writer.write(*(outcome(number, 1.0) for number in range(20)))
        writer.end(committed=True)
    assert read(engine, lake, kafka).outcomes == {MODEL.name: 20}
    assert stored(engine) == {f"request-{number}": 1.0 for number in range(20)}


@pytest.mark.parametrize("read_by", ["sensor", "ingest"])
def test_windows_close_on_a_log_whose_partitions_end_in_a_marker(
    engine: sa.Engine, lake: Lake, kafka: str, read_by: str
) -> None:
    with writing(kafka) as writer:
        writer.begin()
        writer.write(*(prediction(number) for number in range(WEEK + 2)), *(outcome(number) for number in range(WEEK)))
        writer.end(committed=True)
    if read_by == "sensor":
        read(engine, lake, kafka)
        assert closed(engine) == [WEEK]
    else:
        with ingesting(engine, lake, kafka):
            wait_until(lambda: closed(engine), lambda rows: rows == [WEEK], "the window to close;", stall_seconds=30)
    with engine.connect() as connection:
        assert log.all_read(connection)
    assert lag(engine) == 0
    assert read(engine, lake, kafka) == PassResult(), "and it is read on from after the marker"


def test_a_partition_that_holds_nothing_but_markers_is_read_to_its_end(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    with writing(kafka) as writer:
        for _ in range(3):
            writer.begin()
            writer.write(outcome(1), prediction(1))
            writer.end(committed=False)
    for _ in range(2):
        assert read(engine, lake, kafka) == PassResult()
        with engine.connect() as connection:
            assert {position.next_offset for position in log.positions(connection).values()} == {6}
            assert log.all_read(connection)
    produce(kafka, [outcome(1), prediction(1)])
    seen = read(engine, lake, kafka)
    assert (seen.outcomes, seen.predictions) == ({MODEL.name: 1}, {MODEL.name: 1})


def test_an_open_transaction_holds_back_what_follows_it_and_no_window(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [prediction(number) for number in range(WEEK + 2)])
    with writing(kafka) as writer:
        writer.begin()
        writer.write(prediction(WEEK + 2), outcome(0))
        produce(kafka, [prediction(WEEK + 3)])
        seen = read(engine, lake, kafka)
        assert (seen.predictions, seen.lag) == ({MODEL.name: WEEK + 2}, 3)
        assert closed(engine) == [WEEK]
        assert lag(engine) == 3, "what waits for the transaction is lag, the record after it too"
        with engine.connect() as connection:
            assert log.all_read(connection), "and nothing that can be read waits"
        writer.end(committed=True)
    assert read(engine, lake, kafka).predictions == {MODEL.name: 2}
    assert lag(engine) == 0
    assert stored(engine) == {"request-0": 1.0}


def test_a_reader_has_caught_up_where_a_transaction_is_open_and_not_before(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [outcome(0)])
    with writing(kafka) as writer, LogReader(kafka, MODELS) as reader:
        reader.open(engine)
        writer.begin()
        writer.write(outcome(1))
        polled_until(reader, reader.caught_up)
        assert reader.lag() == 1
        writer.end(committed=False)
        polled_until(reader, lambda: reader.lag() == 0)
        assert reader.caught_up()


def polled_until(reader: LogReader, condition: Callable[[], bool]) -> None:
    for _ in range(200):
        reader.poll()
        if condition():
            return
    raise AssertionError("the reader never came to that")


@pytest.mark.parametrize("seed", SEEDS)
def test_of_interleaved_transactions_exactly_what_was_committed_is_stored(
    engine: sa.Engine, lake: Lake, kafka: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two transactional writers and a plain one take turns; reading stops and goes on anywhere, a few records a fetch."""
    monkeypatch.setattr(monitors.log_reader, "FETCH_BYTES", 600)
    draw, numbers = random.Random(seed), iter(range(10_000))
    wanted: dict[str, float | str] = {}
    with writing(kafka, "a") as one, writing(kafka, "b") as two:
        under_way: dict[Writer, list[Outcome]] = {}
        for _ in range(60):
            writer = draw.choice([one, two])
            events = [outcome(next(numbers)) for _ in range(draw.randint(1, 4))]
            if draw.random() < 0.2:
                produce(kafka, events)
                wanted |= {event.request_id: event.outcome for event in events}
            elif writer not in under_way:
                writer.begin()
                writer.write(*events)
                under_way[writer] = events
            elif draw.random() < 0.5:
                writer.write(*events)
                under_way[writer] += events
            else:
                committed = draw.random() < 0.5
                writer.end(committed=committed)
                done = under_way.pop(writer)
                wanted |= {event.request_id: event.outcome for event in done if committed}
            if draw.random() < 0.15:
                read(engine, lake, kafka)
        for writer in under_way:
            writer.end(committed=False)
    read(engine, lake, kafka)
    assert stored(engine) == wanted
    assert lag(engine) == 0
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(predictions)).scalar() == 0
