"""Realistic events with known identities, and a producer that records what it has sent."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kafka import KafkaProducer

from everfit.drills.models.drill import MEASURES, SITES, drill
from everfit.topics.events import OUTCOMES, PREDICTIONS, Outcome, Prediction, encode

STEP = timedelta(minutes=2)
LARGEST_BYTES = 8 * 2**20

SEND_SECONDS = 180.0

Event = Prediction | Outcome
PredictionIdentity = tuple[datetime, str, str, int]
OutcomeIdentity = tuple[datetime, str, str]


@dataclass(slots=True)
class Sent:
    """What was sent to the log: every identity with its value, and the numbers of records."""

    predictions: dict[PredictionIdentity, float | None] = field(default_factory=dict)  # the score
    outcomes: dict[OutcomeIdentity, float | str] = field(default_factory=dict)
    records: int = 0
    repeats: int = 0
    poison: int = 0

    @property
    def identities(self) -> int:
        """The number of rows that must be stored."""
        return len(self.predictions) + len(self.outcomes)

    def record(self, event: Event) -> None:
        """Count a record; a second record of the same identity is a repeat."""
        before = self.identities
        if isinstance(event, Prediction):
            self.predictions[event.event_time, event.request_id, event.model, event.version] = event.score
        else:
            self.outcomes[event.observed_at, event.model, event.request_id] = event.outcome
        self.records += 1
        self.repeats += self.identities == before


class Events:
    """A seeded stream of predictions and their outcomes, in the order of event time, half an hour between the two."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # nothing secret: a drill repeats with its seed
        self._number = 0

    def take(self, records: int) -> Iterator[Event]:
        """The next events, predictions and their outcomes in turn."""
        for _ in range(0, records, 2):
            prediction = self._predict()
            yield prediction
            yield self._observe(prediction)

    def _predict(self) -> Prediction:
        number, draw = self._number, self._random
        self._number += 1
        measures = {name: round(draw.random(), 4) for name in MEASURES}
        name = f"drill-{number:07}"
        site = _site(name)
        return Prediction(
            request_id=name,
            model=drill.name,
            version=1,
            role="champion",
            entity=site,
            event_time=drill.go_live + number * STEP,
            features={"site": site, "hour": float(number // 30 % 24), **measures},
            score=round(draw.random(), 6),
            schema=drill.schema_id,
        )

    def _observe(self, prediction: Prediction) -> Outcome:
        observed_at = prediction.event_time + timedelta(minutes=30)
        failed = float(prediction.features["measure_00"] > 0.5)  # type: ignore[operator]
        return Outcome(request_id=prediction.request_id, model=drill.name, outcome=failed, observed_at=observed_at)


class Producer:
    """Sends records and counts them in ``sent``. The client resends what was not acknowledged."""

    def __init__(self, bootstrap: str, sent: Sent) -> None:
        self.sent = sent
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            linger_ms=5,
            max_request_size=LARGEST_BYTES,
            delivery_timeout_ms=int(SEND_SECONDS * 1000),
        )

    def send(self, events: Sequence[Event]) -> None:
        """Send events, and return when the broker has acknowledged all of them."""
        waiting = []
        for event in events:
            topic = OUTCOMES if isinstance(event, Outcome) else PREDICTIONS
            waiting.append(self._producer.send(topic, key=_site(event.request_id).encode(), value=encode(event)))
            self.sent.record(event)
        _await_all(waiting)

    def send_poison(self, values: Sequence[bytes | None]) -> None:
        """Send records that must become dead letters to the topic of predictions."""
        waiting = [self._producer.send(PREDICTIONS, key=SITES[0].encode(), value=value) for value in values]
        self.sent.records += len(waiting)
        self.sent.poison += len(waiting)
        _await_all(waiting)

    def close(self) -> None:
        """Close its connections."""
        self._producer.close()


def _site(request_id: str) -> str:
    """The entity of a request, the key of both its records."""
    return SITES[int(request_id.rpartition("-")[2]) % len(SITES)]


def _await_all(waiting: Sequence[Any]) -> None:
    for future in waiting:
        future.get(timeout=SEND_SECONDS)
