"""Read the prediction log and the outcomes from where Postgres says that reading stands.

Offsets live in Postgres beside the rows, so Kafka's own group offsets are not used. A log that began again (an embedded broker
after a restart, a topic deleted and made anew) is told by the topic's id and by the last record's SHA-256, because a log that
has grown again looks healthy by its offsets alone; it is said, and read from its beginning.
"""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from everfit.contract import Contract
from everfit.declaration import Model
from everfit.errors import EventError, ServiceError
from everfit.events import OUTCOMES, PREDICTIONS, LoggedPrediction, Outcome, wall_clock
from everfit.kafka import require_kafka
from everfit.store import log
from everfit.store.log import Batch, DeadLetter, Position

TOPICS = (PREDICTIONS, OUTCOMES)
POLL_MS = 50
BATCH_RECORDS = 5_000
VERIFY_SECONDS = 5.0

logger = logging.getLogger(__name__)


class LogReader:
    """A consumer of both topics, positioned by :meth:`open`; close it when done, or use it in a ``with``."""

    def __init__(self, bootstrap: str, models: Mapping[str, Model], topics: Sequence[str] = TOPICS) -> None:
        self._contract = Contract(models)
        self._topics = topics
        self._ids: dict[str, str] = {}
        self._last: dict[TopicPartition, Position] = {}
        require_kafka(bootstrap)
        self._bootstrap = bootstrap
        try:
            self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)
            self._consumer = self._build_consumer()
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
        partitions = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(self._consumer.partitions_for_topic(topic) or [])
        ]
        self._consumer.assign(partitions)
        with engine.begin() as connection:
            stored = {TopicPartition(*key): position for key, position in log.positions(connection).items()}
            restarted = self._restarted({p: stored[p] for p in partitions if p in stored})
            for partition in restarted:
                began_again = "the log of %s, partition %d began again: it is read from its beginning, nothing is skipped"
                logger.warning(began_again, partition.topic, partition.partition)
                log.restart(connection, partition.topic, partition.partition, self._ids[partition.topic])
        for partition in partitions:
            known = partition in stored and partition not in restarted
            self._consumer.seek(partition, stored[partition].next_offset if known else 0)

    def poll(self) -> Batch | None:
        """What is new, decoded; None when nothing came within a poll."""
        polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
        if not polled:
            return None
        predictions: list[tuple[int, LoggedPrediction]] = []
        outcomes: list[Outcome] = []
        dead: list[DeadLetter] = []
        now = wall_clock()
        for partition, records in polled.items():
            for record in records:
                try:
                    if partition.topic == PREDICTIONS:
                        predictions.append((record.partition, self._contract.prediction(record.value, now)))
                    else:
                        outcomes.append(self._contract.outcome(record.value, now))
                except EventError as error:
                    dead.append(self._dead_letter(record, str(error)))
            self._last[partition] = self._position(partition, records[-1])
        return Batch(predictions, outcomes, dead, [self._last[partition] for partition in polled])

    def caught_up(self) -> bool:
        """Whether every partition has told its end, and all before it was read; an empty poll may only be an early one."""
        assigned = self._consumer.assignment()
        ends = {partition: self._consumer.highwater(partition) for partition in assigned}
        return all(end is not None and self._consumer.position(partition) >= end for partition, end in ends.items())

    def _restarted(self, stored: Mapping[TopicPartition, Position]) -> set[TopicPartition]:
        """The partitions whose stored position is of another log than the one that answers now."""
        same_id = {p: position for p, position in stored.items() if position.log_id == self._ids[p.topic]}
        read = {p: position for p, position in same_id.items() if position.next_offset > 0}
        last = self._last_records(read)
        changed = {p for p, position in read.items() if last.get(p) != position.fingerprint}
        return (stored.keys() - same_id.keys()) | changed

    def _last_records(self, read: Mapping[TopicPartition, Position]) -> dict[TopicPartition, str]:
        """The fingerprint of the record before each position, by a consumer of its own; none where there is no such record."""
        found: dict[TopicPartition, str] = {}
        if not read:
            return found
        with closing(self._build_consumer()) as consumer:
            consumer.assign(list(read))
            for partition, position in read.items():
                consumer.seek(partition, position.next_offset - 1)
            deadline = time.monotonic() + VERIFY_SECONDS
            while found.keys() != read.keys() and time.monotonic() < deadline:
                for partition, records in consumer.poll(timeout_ms=POLL_MS).items():
                    found.setdefault(partition, _fingerprint(records[0].value))
        return found

    def _build_consumer(self) -> KafkaConsumer:
        return KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=POLL_MS,
        )

    def _position(self, partition: TopicPartition, record: Any) -> Position:
        log_id = self._ids[partition.topic]
        return Position(partition.topic, partition.partition, record.offset + 1, log_id, _fingerprint(record.value))

    def _dead_letter(self, record: Any, reason: str) -> DeadLetter:
        log_id = self._ids[record.topic]
        return DeadLetter(record.topic, record.partition, record.offset, log_id, record.value, reason)


def _fingerprint(value: bytes | None) -> str:
    return hashlib.sha256(value or b"").hexdigest()
