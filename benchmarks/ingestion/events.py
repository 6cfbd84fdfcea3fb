"""Realistic predictions of 15 features, and how they get on the log fast."""

import random
from collections.abc import Iterator
from datetime import timedelta

from confluent_kafka import Producer

from everfit.declaration.values import Value
from everfit.drills.models.drill import MEASURES, SITES, drill
from everfit.topics.events import PREDICTIONS, Prediction, encode

STEP = timedelta(seconds=2)


def predictions(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each record, some 480 bytes of JSON."""
    draw = random.Random(7)
    for number in range(count):
        site = SITES[number % len(SITES)]
        features: dict[str, Value] = {"site": site, "hour": float(number // 1_800 % 24)}
        features |= {name: round(draw.random(), 4) for name in MEASURES}
        event = Prediction(
            request_id=f"request-{number:08}",
            model=drill.name,
            version=1,
            role="champion",
            entity=site,
            event_time=drill.go_live + number * STEP,
            features=features,
            score=round(draw.random(), 6),
            schema=drill.schema_id,
        )
        yield site.encode(), encode(event)


def fill(kafka: str, count: int) -> None:
    """Put that many predictions on the log, and wait until they are there."""
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 20, "queue.buffering.max.messages": 200_000})
    for key, value in predictions(count):
        while True:
            try:
                producer.produce(PREDICTIONS, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(120)
    assert left == 0, f"{left} records were not taken"
