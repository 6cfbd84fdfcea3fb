"""Read the prediction log and the outcomes from where Postgres says that reading stands.

Offsets live in Postgres beside the rows, so Kafka's own group offsets are not used. A log that began again (an embedded broker
after a restart, a topic deleted and made anew) is told by the topic's id and by the last record's SHA-256, because a log that
has grown again looks healthy by its offsets alone; it is said, and read from its beginning.
"""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from everfit.declaration import Model
from everfit.errors import EventError, ServiceError
from everfit.events import OUTCOMES, PREDICTIONS, Outcome, Prediction, ahead_of, decode, wall_clock
from everfit.kafka import require_kafka
from everfit.store import log
from everfit.store.log import Batch, DeadLetter, Position

TOPICS = (PREDICTIONS, OUTCOMES)
POLL_MS = 100
BATCH_RECORDS = 5_000
VERIFY_SECONDS = 5.0

logger = logging.getLogger(__name__)


class LogReader:
    """A consumer of both topics, positioned by :meth:`open`; close it when done, or use it in a ``with``."""

    def __init__(self, bootstrap: str, models: Mapping[str, Model], topics: Sequence[str] = TOPICS) -> None:
        self._models = models
        self._topics = topics
        self._ids: dict[str, str] = {}
        self._last: dict[TopicPartition, Position] = {}
        require_kafka(bootstrap)
        try:
            self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)
            self._consumer = KafkaConsumer(
                bootstrap_servers=bootstrap,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                fetch_max_wait_ms=POLL_MS,
            )
        except KafkaError as error:
            raise ServiceError(f"Kafka at {bootstrap} cannot be used: {error}; see `everfit doctor`") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._consumer.close()
        self._admin.close()

    def open(self, engine: sa.Engine) -> None:
        """Assign every partition and seek to the stored positions; logs that began again are read from their beginning."""
        self._ids = {topic["name"]: str(topic["topic_id"]) for topic in self._admin.describe_topics(list(self._topics))}
        with engine.begin() as connection:
            stored = log.positions(connection)
            partitions = [
                TopicPartition(topic, number)
                for topic in self._topics
                for number in sorted(self._consumer.partitions_for_topic(topic) or [])
            ]
            self._consumer.assign(partitions)
            for partition in partitions:
                self._consumer.seek(partition, 0)  # a poll needs a position of every partition, also of a paused one
            for partition in partitions:
                self._seek(connection, partition, stored.get((partition.topic, partition.partition)))

    def poll(self) -> Batch | None:
        """What is new, decoded; None when nothing came within a poll."""
        polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
        if not polled:
            return None
        predictions: list[tuple[int, Prediction]] = []
        outcomes: list[Outcome] = []
        dead: list[DeadLetter] = []
        for partition, records in polled.items():
            for record in records:
                try:
                    event = self._decoded(record)
                except EventError as error:
                    dead.append(self._dead_letter(record, str(error)))
                    continue
                if isinstance(event, Prediction):
                    predictions.append((record.partition, event))
                else:
                    outcomes.append(event)
            self._last[partition] = self._position(partition, records[-1])
        return Batch(predictions, outcomes, dead, [self._last[partition] for partition in polled])

    def _decoded(self, record: Any) -> Prediction | Outcome:
        event = decode(record.topic, record.value)
        assert isinstance(event, Prediction | Outcome)
        if event.model not in self._models:
            raise EventError(f"no model {event.model!r} is declared")
        latest = ahead_of(wall_clock(), self._models[event.model].log.future_tolerance)
        moment = event.event_time if isinstance(event, Prediction) else event.observed_at
        if moment > latest:
            raise EventError(f"time {moment.isoformat()} is ahead of the tolerated {latest.isoformat()}")
        return event

    def _seek(self, connection: sa.Connection, partition: TopicPartition, stored: Position | None) -> None:
        log_id = self._ids[partition.topic]
        if stored and not self._same_log(partition, stored):
            began_again = "the log of %s, partition %d began again: it is read from its beginning, nothing is skipped"
            logger.warning(began_again, partition.topic, partition.partition)
            log.restart(connection, partition.topic, partition.partition, log_id)
            stored = None
        self._consumer.seek(partition, stored.next_offset if stored else 0)

    def _same_log(self, partition: TopicPartition, stored: Position) -> bool:
        """Whether the stored position is one of the log that answers now."""
        if stored.log_id != self._ids[partition.topic]:
            return False
        if stored.next_offset == 0:
            return True
        self._consumer.seek(partition, stored.next_offset - 1)
        paused = self._consumer.assignment() - {partition}
        self._consumer.pause(*paused)
        deadline = time.monotonic() + VERIFY_SECONDS
        records: list[Any] = []
        while not records and time.monotonic() < deadline:
            records = self._consumer.poll(timeout_ms=POLL_MS, max_records=1).get(partition, [])
        self._consumer.resume(*paused)
        return bool(records) and _fingerprint(records[0].value) == stored.fingerprint

    def _position(self, partition: TopicPartition, record: Any) -> Position:
        log_id = self._ids[partition.topic]
        return Position(partition.topic, partition.partition, record.offset + 1, log_id, _fingerprint(record.value))

    def _dead_letter(self, record: Any, reason: str) -> DeadLetter:
        log_id = self._ids[record.topic]
        return DeadLetter(record.topic, record.partition, record.offset, log_id, record.value, reason)


def _fingerprint(value: bytes | None) -> str:
    return hashlib.sha256(value or b"").hexdigest()
