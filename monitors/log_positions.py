"""The stored position of each partition, compared with the present log.

A log that restarted (an embedded broker after a restart, a topic deleted and created again) is recognised by the topic's id, by
an end before the position, and by the last record's SHA-256, as the offsets of a log that has grown again look right. That
record need not be the one before the position: markers of transactions take offsets, too, but are not records.
A restart is logged, and the log is read from its beginning: rows with stored identities are not stored twice. Where retention
has deleted unread records, the gap is recorded with its size, and reading continues after it.
"""

import hashlib
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

import sqlalchemy as sa
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from everfit.environment.kafka_options import consumer_options
from everfit.errors import ServiceError
from everfit.store import log
from everfit.store.log import Gap, Position
from monitors.unreadable_partitions import concerns_records, problem_at, trial

POLL_MS = 50
VERIFY_SECONDS = 10.0

logger = logging.getLogger(__name__)


def fingerprint(value: bytes | None) -> str:
    """SHA-256 of a record's bytes, in hexadecimal."""
    return hashlib.sha256(value or b"").hexdigest()


class ResumePoint(NamedTuple):
    """The stored position of a partition, and the offset to read from, which is later where the log begins later."""

    position: Position
    read_from: int


class LogPositions:
    """Compares stored positions with the brokers' logs."""

    def __init__(self, bootstrap: str, admin: KafkaAdminClient, consumer: KafkaConsumer) -> None:
        self._bootstrap = bootstrap
        self._admin = admin
        self._consumer = consumer

    def resume_points(self, engine: sa.Engine, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, ResumePoint]:
        """Where to continue reading each partition.

        Raises:
            ServiceError: when the brokers do not return what is needed to decide.
        """
        if not partitions:
            return {}
        try:
            ids = {topic["name"]: str(topic["topic_id"]) for topic in self._admin.describe_topics(_topics(partitions))}
            with engine.connect() as connection:
                all_stored = log.positions(connection)
            stored = {p: all_stored[p] for p in partitions if p in all_stored}
            starts = self._consumer.beginning_offsets(list(partitions))
            restarted = self._restarted(stored, ids, starts)
        except KafkaError as error:
            raise ServiceError(f"Kafka at {self._bootstrap} does not describe its logs: {error!r}") from error
        with engine.begin() as connection:
            return {p: _resume_point(connection, p, stored.get(p), ids[p.topic], starts[p], p in restarted) for p in partitions}

    def _restarted(
        self, stored: Mapping[TopicPartition, Position], ids: Mapping[str, str], starts: Mapping[TopicPartition, int]
    ) -> set[TopicPartition]:
        """The partitions whose stored position is of another log than the present one."""
        other = {p for p, position in stored.items() if position.log_id != ids[p.topic]}
        expected = {
            p: position
            for p, position in stored.items()
            if p not in other and position.fingerprint and starts[p] <= _record_offset(position)
        }
        return other | self._changed(expected)

    def _changed(self, expected: Mapping[TopicPartition, Position]) -> set[TopicPartition]:
        """Those whose last record read is a different one now, or whose log ends before the position.

        Where retention or compaction has removed that record, there is nothing to compare, and the log counts as the same.
        """
        waiting: set[TopicPartition] = set(expected)
        changed: set[TopicPartition] = set()
        if not waiting:
            return changed
        with closing(KafkaConsumer(**consumer_options(self._bootstrap))) as consumer:
            consumer.assign(list(waiting))
            for partition in waiting:
                consumer.seek(partition, _record_offset(expected[partition]))
            deadline = time.monotonic() + VERIFY_SECONDS
            while waiting and time.monotonic() < deadline:
                results, ended = self._compared(consumer, waiting, expected)
                changed |= {p for p, is_same in results.items() if not is_same} | ended
                waiting -= results.keys() | ended
                consumer.pause(*results, *ended)
        if waiting:
            raise ServiceError(
                f"Kafka at {self._bootstrap} did not show the last record read of {_names(waiting)}; trying again"
            )
        return changed

    def _compared(
        self, consumer: KafkaConsumer, waiting: Collection[TopicPartition], expected: Mapping[TopicPartition, Position]
    ) -> tuple[dict[TopicPartition, bool], set[TopicPartition]]:
        """As :func:`_looked_at`; unreadable records cannot be compared, and count as the same."""
        try:
            return _compare_records(consumer, waiting, expected)
        except Exception as error:
            if not concerns_records(error):
                raise
            with closing(trial(self._bootstrap)) as alone:
                results = {p: True for p in sorted(waiting) if problem_at(alone, p, _record_offset(expected[p]))}
            if not results:
                raise ServiceError(f"Kafka at {self._bootstrap} cannot be read: {error!r}") from error
            return results, set()


def _compare_records(
    consumer: KafkaConsumer, waiting: Collection[TopicPartition], expected: Mapping[TopicPartition, Position]
) -> tuple[dict[TopicPartition, bool], set[TopicPartition]]:
    """By one poll: whether each record is the one that was read, and the partitions that end before the position."""
    try:
        polled = consumer.poll(timeout_ms=POLL_MS)
    except OffsetOutOfRangeError as error:
        return {}, {p for p in waiting if p in error.args[0]}
    except LogTruncationError as error:
        return {}, {p for p in waiting if p in error.divergent_offsets}
    results = {}
    for partition, records in polled.items():
        position, first = expected[partition], records[0]
        results[partition] = first.offset > _record_offset(position) or fingerprint(first.value) == position.fingerprint
    passed = {p: True for p in waiting if p not in results and consumer.position(p) >= expected[p].next_offset}
    ends = {p: consumer.highwater(p) for p in waiting if p not in results}
    return results | passed, {p for p, end in ends.items() if end is not None and end < expected[p].next_offset}


def _record_offset(position: Position) -> int:
    """The offset of the last record that was read."""
    return position.next_offset - 1 if position.record_offset is None else position.record_offset


def _resume_point(
    connection: sa.Connection, partition: TopicPartition, stored: Position | None, log_id: str, start: int, restarted: bool
) -> ResumePoint:
    """Where to continue; after a restart or a gap the stored position is moved, which is logged."""
    topic, number = partition
    if stored is None:
        return ResumePoint(Position(topic, number, 0, log_id, ""), start)
    if restarted:
        restart = "the log of %s, partition %d restarted: it is read from its beginning, nothing is skipped"
        logger.warning(restart, topic, number)
        log.restart(connection, stored, log_id)
        stored = Position(topic, number, 0, log_id, "")
    if start <= stored.next_offset:
        return ResumePoint(stored, stored.next_offset)
    gap = Gap(topic, number, log_id, stored.next_offset, start)
    if log.skip(connection, gap):
        deleted = "%s, partition %d: %d records from offset %d on were deleted before they were read; reading goes on at %d"
        logger.error(deleted, topic, number, gap.records, gap.first, gap.next)
    return ResumePoint(Position(topic, number, start, log_id, ""), start)


def _topics(partitions: Collection[TopicPartition]) -> list[str]:
    return sorted({partition.topic for partition in partitions})


def _names(partitions: Collection[TopicPartition]) -> str:
    return ", ".join(f"{partition.topic} partition {partition.partition}" for partition in sorted(partitions))
