"""The way to Kafka: a batch is acknowledged as a whole, or it is not."""

import logging
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from everfit.environment.kafka_options import options, require_kafka
from everfit.errors import RefusedError, ServiceError

if TYPE_CHECKING:
    from kafka import KafkaProducer

TIMEOUT_SECONDS = 5.0
UNSENDABLE = (AssertionError, TypeError, ValueError, OverflowError, struct.error)  # what the client raises of a record itself

logger = logging.getLogger(__name__)


class Record(NamedTuple):
    """What goes out: the key decides the partition."""

    key: bytes
    value: bytes


class Outlet(Protocol):
    """Where records go."""

    def send(self, batch: Sequence[Record]) -> None:
        """Return when all are acknowledged.

        Raises:
            RefusedError: when one of them never will be, whenever it is sent; any of the others may have arrived.
            ServiceError: when one is not; any of them may have arrived.
        """

    def close(self) -> None:
        """Give connections back."""


class KafkaOutlet:
    """An idempotent producer with ``acks=all``, made at the first batch and made anew after a failure.

    What a closed producer had under way is given up, so that a batch sent again is the only one of its kind in flight.
    """

    def __init__(self, bootstrap: str, topic: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._timeout_seconds = timeout_seconds
        self._producer: KafkaProducer | None = None

    def send(self, batch: Sequence[Record]) -> None:
        """Return when all are acknowledged.

        Raises:
            RefusedError: when one is too large, or the broker takes it for invalid.
            ServiceError: when one is not acknowledged within the timeout.
        """
        from kafka.errors import InvalidRecordError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

        deadline = time.monotonic() + self._timeout_seconds
        try:
            producer = self._connected()
            sent = [producer.send(self._topic, key=record.key, value=record.value) for record in batch]
            producer.flush(timeout=self._timeout_seconds)
            for acknowledged in sent:
                acknowledged.get(timeout=max(0.0, deadline - time.monotonic()))
        except (MessageSizeTooLargeError, RecordListTooLargeError, InvalidRecordError, *UNSENDABLE) as error:
            self.close()
            raise RefusedError(f"Kafka will not take it: {type(error).__name__} ({error})") from error
        except KafkaError as error:
            self.close()
            raise ServiceError(f"Kafka at {self._bootstrap} did not take {len(batch)} records: {error!r}") from error

    def close(self) -> None:
        """Close the producer; what it still had under way has failed by then, or fails now."""
        from kafka.errors import KafkaTimeoutError

        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close(timeout=self._timeout_seconds)
            except KafkaTimeoutError:
                logger.exception("a producer would not end; what it still sends is sent twice, and stored once")

    def _connected(self) -> "KafkaProducer":
        if self._producer is None:
            from kafka import KafkaProducer

            require_kafka(self._bootstrap)  # a producer that finds nobody leaves sockets open
            timeout_ms = int(self._timeout_seconds * 1000)
            delivery_ms = timeout_ms * 3 // 4  # every record has arrived or failed before a flush gives up
            self._producer = KafkaProducer(
                **options(self._bootstrap),
                acks="all",
                enable_idempotence=True,
                linger_ms=0,  # while a batch is under way the next one gathers
                max_block_ms=timeout_ms,
                bootstrap_timeout_ms=timeout_ms,
                request_timeout_ms=delivery_ms // 2,
                delivery_timeout_ms=delivery_ms,
            )
        return self._producer
