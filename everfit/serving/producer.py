"""The producer of predictions: a batch is acknowledged as a whole, or not."""

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
UNSENDABLE = (AssertionError, TypeError, ValueError, OverflowError, struct.error)  # what the client raises because of a record

logger = logging.getLogger(__name__)


class Record(NamedTuple):
    """A record to send; the key determines the partition."""

    key: bytes
    value: bytes


class Producer(Protocol):
    """Sends records."""

    def send(self, batch: Sequence[Record]) -> None:
        """Send a batch, and return when all of it is acknowledged.

        Raises:
            RefusedError: when a record will never be acknowledged; any of the others may have arrived.
            ServiceError: when a record is not acknowledged; any of them may have arrived.
        """

    def close(self) -> None:
        """Close the connections."""


class KafkaLogProducer:
    """An idempotent producer with ``acks=all``, created at the first batch and again after a failure.

    A closed producer drops what it had under way, so that a batch that is sent again is in flight only once.
    """

    def __init__(self, bootstrap: str, topic: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._timeout_seconds = timeout_seconds
        self._producer: KafkaProducer | None = None

    def send(self, batch: Sequence[Record]) -> None:
        """Send a batch, and return when all of it is acknowledged.

        Raises:
            RefusedError: when a record is too large, or the broker calls it invalid.
            ServiceError: when a record is not acknowledged within the timeout.
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
            raise RefusedError(f"Kafka will not accept it: {type(error).__name__} ({error})") from error
        except KafkaError as error:
            self.close()
            raise ServiceError(f"Kafka at {self._bootstrap} did not acknowledge {len(batch)} records: {error!r}") from error

    def close(self) -> None:
        """Close the producer; what it had under way has failed by then, or fails now."""
        from kafka.errors import KafkaTimeoutError

        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close(timeout=self._timeout_seconds)
            except KafkaTimeoutError:
                logger.exception("a producer does not close; records that it still sends are sent twice, and stored once")

    def _connected(self) -> "KafkaProducer":
        if self._producer is None:
            from kafka import KafkaProducer

            require_kafka(self._bootstrap)  # a producer without a broker leaves sockets open
            timeout_ms = int(self._timeout_seconds * 1000)
            delivery_ms = timeout_ms * 3 // 4  # every record has arrived or failed before a flush times out
            self._producer = KafkaProducer(
                **options(self._bootstrap),
                acks="all",
                enable_idempotence=True,
                linger_ms=0,  # the next batch is gathered while a batch is under way
                max_block_ms=timeout_ms,
                bootstrap_timeout_ms=timeout_ms,
                request_timeout_ms=delivery_ms // 2,
                delivery_timeout_ms=delivery_ms,
            )
        return self._producer
