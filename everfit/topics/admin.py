"""The topics themselves: which there are, of how many partitions, and made where they are missing."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from everfit.environment.addresses import listens
from everfit.environment.kafka_options import options
from everfit.errors import ServiceError
from everfit.topics.events import DEPLOYMENTS, OUTCOMES, PREDICTIONS

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

TOPICS = (PREDICTIONS, OUTCOMES, DEPLOYMENTS)


def partitions(address: str) -> dict[str, int]:
    """Every topic with its number of partitions.

    Raises:
        ServiceError: when the broker does not answer.
    """
    with admin_client(address) as admin:
        return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}


def topic_ids(address: str) -> dict[str, str]:
    """The id of every topic: one that was deleted and made again, or lives on another broker, has another.

    Raises:
        ServiceError: when the broker does not answer.
    """
    with admin_client(address) as admin:
        return {topic["name"]: str(topic["topic_id"]) for topic in admin.describe_topics()}


def create_topics(
    address: str, topics: Iterable[str] = TOPICS, *, partitions: int = 1, largest_bytes: int | None = None
) -> None:
    """Create the topics that are not there yet, of so many partitions each.

    Args:
        address: host and port of a broker.
        topics: their names.
        partitions: how many each gets.
        largest_bytes: the largest record that they take; None leaves the broker's usual, 1 MB.

    Raises:
        ServiceError: when the broker does not answer.
    """
    from kafka.admin import NewTopic

    with admin_client(address) as admin:
        there = set(admin.list_topics())
        settings = {"max.message.bytes": str(largest_bytes)} if largest_bytes else {}
        missing = [NewTopic(name, partitions, 1, topic_configs=settings) for name in topics if name not in there]
        if missing:
            admin.create_topics(missing)


@contextlib.contextmanager
def admin_client(address: str) -> "Iterator[KafkaAdminClient]":
    """A client that administers topics, closed afterwards.

    Raises:
        ServiceError: when the broker does not answer.
    """
    from kafka.admin import KafkaAdminClient

    if not listens(address):
        raise ServiceError(f"no broker answers at {address}; see `everfit doctor`")
    admin = KafkaAdminClient(**options(address), request_timeout_ms=5_000, bootstrap_timeout_ms=5_000)
    try:
        yield admin
    finally:
        admin.close()
