"""Events as a test needs them, and a producer that puts them on the log."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from kafka import KafkaProducer

from everfit.events import OUTCOMES, PREDICTIONS, Event, Outcome, Prediction, encode
from models.electricity_price import electricity_price

MODEL = electricity_price
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


def produce(bootstrap: str, events: Iterable[Event | bytes | None]) -> None:
    """Put events (bytes and tombstones as they are, on the prediction log) on their topics, and wait until they are there."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    try:
        for event in events:
            topic = OUTCOMES if isinstance(event, Outcome) else PREDICTIONS
            value = event if isinstance(event, bytes) or event is None else encode(event)
            producer.send(topic, key=b"NSW", value=value)
        producer.flush()
    finally:
        producer.close()
