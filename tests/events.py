"""Events as a test needs them, and a producer that puts them on the log."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from kafka import KafkaProducer

from everfit.environment.kafka_options import options
from everfit.store import log
from everfit.store.bulk_copy import Rows, is_plain, outcome_line, prediction_line
from everfit.store.log import Batch, DeadLetter, LogWriter, Position, Step, Written
from everfit.topics.events import OUTCOMES, PREDICTIONS, Event, LoggedPrediction, Outcome, Prediction, encode
from models.electricity_price import electricity_price

MODEL = electricity_price.model_copy(update={"retraining": None})  # retrained for alarms: no comparators are fitted
HALF_HOUR = timedelta(minutes=30)


def prediction(number: int, *, version: int = 1, at: datetime | None = None, score: float = 0.5) -> Prediction:
    """The answer to the request of the half-hour of that number since the go-live."""
    return Prediction(
        request_id=f"request-{number}",
        model=MODEL.name,
        version=version,
        role="champion",
        entity="NSW",
        event_time=at or MODEL.go_live + number * HALF_HOUR,
        features={name: "NSW" if kind == "category" else 0.25 for name, kind in MODEL.features},
        score=score,
        schema=MODEL.schema_id,
    )


def outcome(number: int, value: float = 1.0) -> Outcome:
    """What came true of it."""
    at = MODEL.go_live + (number + 1) * HALF_HOUR
    return Outcome(request_id=f"request-{number}", model=MODEL.name, outcome=value, observed_at=at)


def produce(bootstrap: str, events: Iterable[Event | bytes | None], *, keys: Sequence[str] = ("NSW",)) -> None:
    """Put events (bytes and tombstones as they are, on the prediction log) on their topics, and wait until they are there.

    The keys take turns; they decide the partitions.
    """
    producer = KafkaProducer(**options(bootstrap), acks="all")
    try:
        for number, event in enumerate(events):
            topic = OUTCOMES if isinstance(event, Outcome) else PREDICTIONS
            value = event if isinstance(event, bytes) or event is None else encode(event)
            producer.send(topic, key=keys[number % len(keys)].encode(), value=value)
        producer.flush()
    finally:
        producer.close()


def write(engine: sa.Engine, predictions: Sequence[Prediction], outcomes: Sequence[Outcome] = ()) -> Written:
    """Write events as if one poll of a log had brought them; no Kafka is asked."""
    with engine.connect() as connection:
        held = log.positions(connection).get(("log", 0))
    since = held.next_offset if held else 0
    position = Position("log", 0, since + len(predictions) + len(outcomes), "log-id", "")
    written = LogWriter(engine).write(Batch(rows(predictions), rows(outcomes), [], [Step(since, position, 0)]))
    assert written is not None
    return written


def rows(events: Sequence[Prediction | Outcome]) -> Rows:
    """Events as the reader hands them to the writer, from partition 0 of a log."""
    sent = [DeadLetter("log", 0, number, "log-id", encode(event), "") for number, event in enumerate(events)]
    return Rows([_line(encode(event), event) for event in events], list(sent))


def _line(value: bytes, event: Prediction | Outcome) -> str:
    if isinstance(event, Outcome):
        return outcome_line(event)
    return prediction_line(msgspec.json.decode(value, type=LoggedPrediction), 0, plain=is_plain(value))
