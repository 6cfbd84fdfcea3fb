"""Skips unreadable records on a person's command: the gap is recorded, and reading continues after it."""

from contextlib import closing
from itertools import count

import sqlalchemy as sa
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from everfit.errors import ServiceError, UnreadableError
from everfit.store import failures, log
from everfit.store.isolation import Isolation
from everfit.store.log import Gap
from monitors.unreadable_partitions import part_of, problem_at, trial


def skip(engine: sa.Engine, bootstrap: str, partition: TopicPartition) -> Gap:
    """Move an isolated partition's position to the first readable offset; returns the gap of lost records.

    Raises:
        UnreadableError: when the partition is not isolated, is readable again, or has moved in the meantime.
        ServiceError: when Kafka does not answer.
    """
    part = part_of(partition)
    with engine.connect() as connection:
        position = log.positions(connection).get(tuple(partition))
    if position is None or Isolation(engine).failure(part) is None:
        raise UnreadableError(f"{part.name} is not isolated: nothing was skipped; `everfit status` lists isolated partitions")
    try:
        with closing(trial(bootstrap)) as consumer:
            readable = _readable(consumer, partition, position.next_offset)
    except KafkaError as error:
        raise ServiceError(f"Kafka at {bootstrap} cannot be read: {error!r}") from error
    if readable == position.next_offset:
        raise UnreadableError(
            f"{part.name} is readable at offset {readable}: nothing was skipped, and reading continues by itself"
        )
    gap = Gap(partition.topic, partition.partition, position.log_id, position.next_offset, readable)
    with engine.begin() as connection:
        if not log.skip(connection, gap, by_person=True):
            raise UnreadableError(f"{part.name} is not at offset {gap.first} any more: nothing was skipped; try again")
        failures.clear(connection, [part])
    return gap


def _readable(consumer: KafkaConsumer, partition: TopicPartition, first: int) -> int:
    """The first readable offset, or the log's end: each offset is tried, so that no readable record is lost."""
    return next(offset for offset in count(first) if problem_at(consumer, partition, offset) is None)
