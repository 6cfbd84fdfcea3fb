"""Pass over records that cannot be read, because a person says so: the gap is recorded, and reading goes on after it."""

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
    """Move the position of a partition that is set aside to the first offset that can be read; returns what is lost.

    Raises:
        UnreadableError: when the partition is not set aside, can be read after all, or has moved meanwhile.
        ServiceError: when Kafka does not answer.
    """
    part = part_of(partition)
    with engine.connect() as connection:
        position = log.positions(connection).get(tuple(partition))
    if position is None or Isolation(engine).failure(part) is None:
        raise UnreadableError(f"{part.name} is not set aside: nothing of it is skipped; `everfit status` lists what is")
    try:
        with closing(trial(bootstrap)) as consumer:
            readable = _readable(consumer, partition, position.next_offset)
    except KafkaError as error:
        raise ServiceError(f"Kafka at {bootstrap} cannot be read: {error!r}") from error
    if readable == position.next_offset:
        raise UnreadableError(f"{part.name} can be read at offset {readable}: nothing is skipped, and it is read on by itself")
    gap = Gap(partition.topic, partition.partition, position.log_id, position.next_offset, readable)
    with engine.begin() as connection:
        if not log.skip(connection, gap, by_person=True):
            raise UnreadableError(f"{part.name} does not stand at offset {gap.first} any more: nothing is skipped; look again")
        failures.clear(connection, [part])
    return gap


def _readable(consumer: KafkaConsumer, partition: TopicPartition, first: int) -> int:
    """The first offset at which something can be read, or where the log ends: each is tried, for no readable one is lost."""
    return next(offset for offset in count(first) if problem_at(consumer, partition, offset) is None)
