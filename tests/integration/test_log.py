"""The prediction log, from a real broker into a real Postgres: every identity once, whatever is delivered how often."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

import monitors.log_pass
import monitors.log_reader
from everfit.errors import ServiceError
from everfit.stack.ports import any_free
from everfit.store import model_clocks, month_partitions, schemas
from everfit.store.lake import Lake
from everfit.store.log import Batch, LogWriter, Position, Step
from everfit.store.tables import consumer_offsets, dead_letters, outcomes, predictions, windows
from everfit.timing import wall_clock
from everfit.topics.events import encode
from monitors.log_pass import run_pass
from monitors.log_reader import LogReader
from monitors.pass_result import PassResult
from tests.brokers import running_broker
from tests.events import MODEL, outcome, prediction, produce, rows


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def read(engine: sa.Engine, lake: Lake, kafka: str) -> PassResult:
    """One pass, without lingering."""
    return run_pass(engine, lake, kafka, {MODEL.name: MODEL}, linger_seconds=0.0)


def count(engine: sa.Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_every_event_is_read_once_and_a_second_pass_reads_nothing(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [*(prediction(n) for n in range(300)), *(outcome(n) for n in range(299))])
    seen = read(engine, lake, kafka)
    assert (seen.predictions, seen.outcomes) == ({MODEL.name: 300}, {MODEL.name: 299})
    assert read(engine, lake, kafka) == PassResult()
    assert (count(engine, predictions), count(engine, outcomes)) == (300, 299)


def test_each_pass_reads_on_where_the_one_before_stopped(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    for start in range(0, 30, 10):
        numbers = range(start, start + 10)
        produce(kafka, [*(prediction(n) for n in numbers), *(outcome(n) for n in numbers)])
        seen = read(engine, lake, kafka)
        assert (seen.predictions, seen.outcomes) == ({MODEL.name: 10}, {MODEL.name: 10})


def test_what_is_sent_again_or_read_again_stays_single(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [prediction(0), prediction(0), prediction(1), prediction(1, version=2)])
    read(engine, lake, kafka)
    with engine.begin() as connection:
        connection.execute(sa.update(consumer_offsets).values(next_offset=0))
    read(engine, lake, kafka)
    assert count(engine, predictions) == 3, "a version is part of the identity, a repeat is not"


def test_the_clock_is_the_newest_event_less_the_lateness(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [prediction(5), prediction(3)])
    read(engine, lake, kafka)
    with engine.connect() as connection:
        assert model_clocks.read(connection, MODEL) == prediction(5).event_time - MODEL.log.lateness


def test_a_schema_that_is_written_down_while_the_log_is_read_is_read_by_its_own_features(
    engine: sa.Engine, lake: Lake, kafka: str
) -> None:
    earlier = _changed(schema="earlier", features={"region": "NSW", "price": 0.5})
    with LogReader(kafka, {MODEL.name: MODEL}) as reader:
        reader.open(engine)
        with engine.begin() as connection:
            schemas.record(connection, MODEL.name, "earlier", [("region", "category"), ("price", "number")])
        produce(kafka, [earlier, _changed(schema="never", request_id="another")])
        batch = Batch()
        while len(batch.predictions) + len(batch.dead) < 2:
            polled = reader.poll() or Batch()
            batch.predictions.lines += polled.predictions.lines
            batch.dead += polled.dead
    assert [line.split("\t")[2] for line in batch.predictions.lines] == ["request-0"]
    assert ["schema 'never' is not the declared" in letter.reason for letter in batch.dead] == [True]
    assert read(engine, lake, kafka).dead_letters == 1
    assert count(engine, predictions) == 1


def _changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(prediction(0)) | fields)


POISON: list[tuple[bytes | None, str]] = [
    (None, "tombstone"),
    (b"not json", "not of LoggedPrediction's form"),
    (_changed(score="high"), "Expected `float | null`"),
    (_changed(score=1.5), "no probability"),
    (_changed(extra=1), "unknown field"),
    (_changed(**{"ex\0tra": 1}), r"unknown field `ex\0tra`"),
    (_changed(model="unheard_of"), "no model 'unheard_of'"),
    (_changed(version=2**31), "Expected `int` <= 2147483647"),
    (_changed(schema="unheard"), "schema 'unheard' is not the declared"),
    (_changed(features={f"f{n}": 1.0 for n in range(10_000)}), "features do not fit"),
    (_changed(event_time="2200-01-01T00:00:00Z"), "ahead of the tolerated"),
    (_changed(event_time="1970-01-01T00:00:00Z"), "the go-live"),
    (encode(prediction(0)).replace(b"NSW", b"N\\u0000W"), "NUL"),
    (encode(prediction(0)).replace(b"0.25", b"1e-20000"), "Postgres refuses it: value overflows numeric format"),
]


def test_what_breaks_the_contract_is_kept_as_a_dead_letter_and_stops_nothing(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [prediction(1), *(value for value, _ in POISON), prediction(2), outcome(1)])
    seen = read(engine, lake, kafka)
    assert (seen.dead_letters, seen.predictions, seen.outcomes) == (len(POISON), {MODEL.name: 2}, {MODEL.name: 1})
    assert count(engine, predictions) == 2
    with engine.connect() as connection:
        letters = connection.execute(sa.select(dead_letters).order_by(dead_letters.c.offset)).all()
    assert [(one.topic, one.partition, one.offset, one.value) for one in letters] == [
        ("everfit.predictions", 0, offset, value) for offset, (value, _) in enumerate(POISON, start=1)
    ]
    for letter, (_, reason) in zip(letters, POISON, strict=True):
        assert reason in letter.reason


def test_texts_are_stored_as_they_were_sent(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    odd = "a\tb\nc\\d\\N \r \u00e9 \U0001f600 \"'"
    sent = msgspec.structs.replace(prediction(0), entity=odd, request_id=odd, features=prediction(0).features | {"region": odd})
    pretty = msgspec.json.format(encode(prediction(1)), indent=2)
    produce(kafka, [sent, pretty, msgspec.structs.replace(outcome(0), request_id=odd)])
    read(engine, lake, kafka)
    with engine.connect() as connection:
        first, second = connection.execute(sa.select(predictions).order_by(predictions.c.event_time)).all()
        known = connection.execute(sa.select(outcomes.c.request_id)).scalar()
    assert (first.entity, first.request_id, first.features["region"], known) == (odd, odd, odd, odd)
    assert second.features == prediction(1).features


def test_of_two_consumers_only_the_one_that_reads_on_from_what_is_stored_can_write(engine: sa.Engine) -> None:
    writer = LogWriter(engine)

    def step(since: int, to: int, log_id: str = "log") -> Batch:
        return Batch(rows([prediction(since)]), steps=[Step(since, Position("t", 0, to, log_id, ""), to)])

    assert writer.write(step(0, 7)), "a log may begin anywhere, and compaction leaves holes"
    assert writer.write(step(0, 9)) is None, "another had begun there before"
    assert writer.write(step(8, 9)) is None, "somebody skipped what is not stored"
    assert writer.write(step(7, 9, "another log")) is None
    assert writer.write(step(7, 9))
    assert count(engine, predictions) == 2


def test_partitions_are_made_ahead_in_utc_and_again_when_they_were_dropped(engine: sa.Engine) -> None:
    writer = LogWriter(engine)
    eve = datetime(1996, 10, 1, 9, tzinfo=timezone(timedelta(hours=10)))  # still September in UTC
    writer.write(Batch(rows([prediction(0, at=eve)])))
    with engine.begin() as connection:
        assert [name for name, _, _ in month_partitions.made(connection)] == ["predictions_1996_09", "predictions_1996_10"]
        month_partitions.drop(connection, "predictions_1996_09")
    assert writer.write(Batch(rows([prediction(1, at=eve)])))
    assert count(engine, predictions) == 1


def test_a_time_in_the_future_never_moves_the_clock(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [prediction(1), prediction(2, at=wall_clock() + timedelta(days=1))])
    read(engine, lake, kafka)
    with engine.connect() as connection:
        assert model_clocks.read(connection, MODEL) == prediction(1).event_time - MODEL.log.lateness


@pytest.mark.parametrize("grown", [3, 20])
def test_a_log_that_began_again_is_noticed_and_nothing_is_skipped(
    engine: sa.Engine, lake: Lake, caplog: pytest.LogCaptureFixture, grown: int
) -> None:
    port = any_free()
    with running_broker(port) as kafka:
        produce(kafka, [prediction(n) for n in range(10)])
        read(engine, lake, kafka)
    with running_broker(port) as kafka:
        produce(kafka, [prediction(n) for n in range(9, 9 + grown)])
        assert read(engine, lake, kafka).predictions == {MODEL.name: grown}
    assert count(engine, predictions) == 9 + grown
    assert "restarted" in caplog.text
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.max(consumer_offsets.c.restarts))).scalar() == 1


def test_rows_that_come_after_their_window_closed_are_stored_and_belong_to_none(
    engine: sa.Engine, lake: Lake, kafka: str
) -> None:
    week = 7 * 48
    produce(kafka, [prediction(n) for n in range(1, week + 2)])
    read(engine, lake, kafka)
    produce(kafka, [prediction(0)])
    read(engine, lake, kafka)
    with engine.connect() as connection:
        assert connection.execute(sa.select(windows.c.rows)).scalars().all() == [week - 1]
        assert connection.execute(sa.select(predictions.c.late).where(predictions.c.request_id == "request-0")).scalar()


def test_no_window_closes_while_more_is_known_to_be_on_the_log(
    engine: sa.Engine, lake: Lake, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row that the log holds last is of the first window: read in many batches, it must be in time."""
    monkeypatch.setattr(monitors.log_reader, "FETCH_BYTES", 32 * 2**10)
    monkeypatch.setattr(monitors.log_pass, "BATCHES_UNTIL_CLOSE", 1)
    week = 7 * 48
    for numbers in (range(1, week + 2), range(week + 2, week + 200), range(1)):
        produce(kafka, [prediction(n) for n in numbers])
    read(engine, lake, kafka)
    with engine.connect() as connection:
        assert connection.execute(sa.select(windows.c.rows)).scalars().all() == [week]


def test_a_broker_that_is_down_is_told(engine: sa.Engine, lake: Lake) -> None:
    with pytest.raises(ServiceError, match=r"Kafka does not answer at 127\.0\.0\.1:1;"):
        read(engine, lake, "127.0.0.1:1")
