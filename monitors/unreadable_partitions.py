"""Partitions that cannot be read further, such as by a codec without its library or a batch with a wrong checksum.

The client does not report which partition caused an error. So each is tried by a consumer of its own, which may be left in any
state; the cause is isolated with the reason, and reading of the others continues. It is tried again after a back-off.
"""

import time
from collections.abc import Mapping
from contextlib import closing

import sqlalchemy as sa
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import RecordTooLargeError
from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)

from everfit.environment.kafka_options import consumer_options
from everfit.errors import ServiceError
from everfit.store.failures import Part, describe
from everfit.store.isolation import Isolation

CHANGED_LOG = (OffsetOutOfRangeError, LogTruncationError, NoOffsetForPartitionError)
STAGE = "partition"
POLL_MS = 50
TRY_SECONDS = 5.0
LOOK_SECONDS = 5.0


def part_of(partition: TopicPartition) -> Part:
    """The partition as a part that can be isolated."""
    return Part("", STAGE, f"{partition.topic}:{partition.partition}")


def concerns_records(error: Exception) -> bool:
    """Whether a poll failed because of the records and not of the brokers: each codec raises errors of its own."""
    record_errors = (CorruptRecordError, UnsupportedCodecError, RecordTooLargeError)
    return isinstance(error, record_errors) or type(error) is KafkaError or not isinstance(error, KafkaError)


def trial(bootstrap: str) -> KafkaConsumer:
    """A consumer for :func:`problem_at`, and for nothing else."""
    return KafkaConsumer(**consumer_options(bootstrap), fetch_max_wait_ms=POLL_MS)


def problem_at(consumer: KafkaConsumer, partition: TopicPartition, offset: int) -> str | None:
    """Why nothing can be read at an offset; None where something can be read, or there is no record.

    Raises:
        KafkaError: when the brokers do not answer.
    """
    consumer.assign([partition])
    consumer.seek(partition, offset)
    deadline = time.monotonic() + TRY_SECONDS
    while time.monotonic() < deadline:
        try:
            polled = consumer.poll(timeout_ms=POLL_MS)
            end, position = consumer.highwater(partition), consumer.position(partition)
        except CHANGED_LOG:
            return None
        except Exception as error:
            if not concerns_records(error):
                raise
            return str(error) if isinstance(error, KafkaError) else describe(error)
        if polled or position > offset or (end is not None and offset >= end):
            return None
    return None  # an open transaction


class Unreadable:
    """The isolated partitions of a consumer, which stay paused as long as it lives."""

    def __init__(self, bootstrap: str) -> None:
        self.partitions: set[TopicPartition] = set()
        self._bootstrap = bootstrap
        self._look_at = 0.0

    def open(self, engine: sa.Engine, positions: Mapping[TopicPartition, int]) -> None:
        """Determine which of a consumer's partitions are still isolated, by their positions.

        A partition that this consumer itself could not read stays isolated until the next consumer.
        """
        isolation = Isolation(engine)
        broken = self.partitions & positions.keys()
        others = {p: at for p, at in positions.items() if isolation.failure(part_of(p)) and p not in broken}
        self.partitions = broken | {p for p, at in others.items() if not self._passes(isolation, p, at)}

    def blame(self, engine: sa.Engine, positions: Mapping[TopicPartition, int], error: Exception) -> set[TopicPartition]:
        """Isolate and return the partitions that cannot be read, after a poll failed.

        Raises:
            ServiceError: when all of them can be read.
        """
        isolation, unreadable = Isolation(engine), set()
        for partition, at in sorted(positions.items()):
            problem = self._problem(partition, at)
            if problem:
                isolation.failed(part_of(partition), _describe(partition, at, problem))
                unreadable.add(partition)
        if not unreadable:
            raise ServiceError(f"Kafka cannot be read: {error!r}; what was not committed is read again") from error
        self.partitions |= unreadable
        return unreadable

    def can_go_on(self, engine: sa.Engine, positions: Mapping[TopicPartition, int]) -> bool:
        """Whether an isolated partition is readable by a new consumer: its cause was corrected, or its records were skipped."""
        if not self.partitions or time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + LOOK_SECONDS
        isolation = Isolation(engine)
        return any(self._passes(isolation, p, positions[p]) for p in sorted(self.partitions & positions.keys()))

    def _passes(self, isolation: Isolation, partition: TopicPartition, at: int) -> bool:
        part = part_of(partition)
        if isolation.failure(part) is None:
            return True
        if isolation.waits(part):
            return False
        problem = self._problem(partition, at)
        if problem:
            isolation.failed(part, _describe(partition, at, problem))
        else:
            isolation.passed(part)
        return not problem

    def _problem(self, partition: TopicPartition, at: int) -> str | None:
        try:
            with closing(trial(self._bootstrap)) as consumer:
                return problem_at(consumer, partition, at)
        except KafkaError as error:
            raise ServiceError(f"Kafka at {self._bootstrap} cannot be read: {error!r}") from error


def _describe(partition: TopicPartition, at: int, problem: str) -> str:
    name = f"{partition.topic}:{partition.partition}"
    todo = f"correct the cause (a missing library?), or skip and lose these records: `everfit ingest --skip {name}`"
    return f"nothing can be read from offset {at} on: {problem}; later records wait, the other partitions are read; {todo}"
