"""A broker for a test: fresh, on a port of its own, gone when the block ends."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kafka import KafkaAdminClient

from everfit.environment.kafka_options import options
from everfit.stack import apache_kafka, broker
from everfit.stack.ports import LOCAL, any_free
from everfit.topics.admin import create_topics
from everfit.topics.events import OUTCOMES, PREDICTIONS
from everfit.waiting import wait_until

DEADLINE_SECONDS = 120.0
ON_KAFKA = os.environ.get("EVERFIT_TEST_BROKER") == "kafka"  # `make test-kafka`


@contextmanager
def running_broker(port: int | None = None, *, partitions: int = 1) -> Iterator[str]:
    """Address of a broker that holds everfit's topics, empty. The same port twice is a broker that was restarted."""
    port = port or any_free()
    address = f"{LOCAL}:{port}"
    with TemporaryDirectory() as folder:
        command = apache_kafka.prepare(Path(folder), port) if ON_KAFKA else broker.command(port)
        with started(command, address):
            create_topics(address, partitions=partitions)
            yield address


@contextmanager
def started(command: list[str], address: str, *, gently: bool = False) -> Iterator[str]:
    """The address of a broker that answers there, until the block ends: killed, or asked to end."""
    process = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.DEVNULL)
    try:
        _await_answer(address)
        yield address
    finally:
        process.terminate() if gently else process.kill()
        process.wait(DEADLINE_SECONDS)


def remake_topics(address: str, *, partitions: int = 1) -> None:
    """Empty everfit's topics by deleting them and making them anew: quicker than another Apache Kafka."""
    topics = {PREDICTIONS, OUTCOMES}
    with closing(KafkaAdminClient(**options(address))) as admin:
        admin.delete_topics(sorted(topics))
        wait_until(lambda: topics & set(admin.list_topics()), lambda left: not left, "the topics to be deleted;")
    create_topics(address, partitions=partitions)


def _await_answer(address: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not broker.answers(address):
        assert time.monotonic() < deadline, f"no broker answers at {address}"
        threading.Event().wait(0.02)
