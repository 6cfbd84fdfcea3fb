"""Sends outcomes to Kafka, as the systems that observe them would."""

from types import TracebackType
from typing import Any, Self

from everfit.environment.kafka_options import options
from everfit.errors import ServiceError
from everfit.replay.timeline import Instant
from everfit.topics.events import OUTCOMES, encode

ACKNOWLEDGE_SECONDS = 30.0


class OutcomeProducer:
    """A producer of outcomes, keyed by entity; a context manager."""

    def __init__(self, bootstrap: str) -> None:
        from kafka import KafkaProducer
        from kafka.errors import KafkaError

        try:
            self._producer = KafkaProducer(**options(bootstrap), acks="all", linger_ms=5)
        except KafkaError as error:
            raise ServiceError(f"Kafka does not answer at {bootstrap} ({error!r}); see `everfit status`") from error
        self._sent: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._producer.close(timeout=ACKNOWLEDGE_SECONDS)

    def send(self, instant: Instant) -> None:
        """Send the instant's outcomes without waiting."""
        for entity, outcome in instant.outcomes:
            self._sent.append(self._producer.send(OUTCOMES, encode(outcome), key=entity.encode()))

    def flush(self) -> None:
        """Return when Kafka has acknowledged every outcome sent.

        Raises:
            ServiceError: when it did not acknowledge an outcome.
        """
        from kafka.errors import KafkaError

        try:
            self._producer.flush(timeout=ACKNOWLEDGE_SECONDS)
            for acknowledged in self._sent:
                acknowledged.get(timeout=0)
        except KafkaError as error:
            raise ServiceError(f"Kafka did not acknowledge an outcome ({error!r}); see `everfit status`") from error
        self._sent.clear()
