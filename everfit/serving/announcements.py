"""Deployments as they are announced on Kafka, so that serving reads the ledger at once instead of at its next turn.

An announcement wakes and decides nothing: the ledger says who is champion. One that is lost, because the broker was away or
because its log began again, costs the wait for the next turn.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from everfit.environment.kafka_options import options
from everfit.errors import EventError
from everfit.topics.events import DEPLOYMENTS, Deployment, decode_as

if TYPE_CHECKING:
    from kafka import KafkaConsumer
    from kafka.consumer.fetcher import ConsumerRecord

POLL_MS = 500
RETRY_SECONDS = 5.0
TOPICS_MS = 5_000  # how often the broker is asked for the topics: one that is made, or made again, is read from then on
# At most this version of the protocol is spoken. The client would otherwise ask the broker for its version while it is built,
# and where that fails leave a thread behind; so it is built once, and reconnects by itself.
PROTOCOL_VERSION = (3, 0)

logger = logging.getLogger(__name__)


class Announcements:
    """Reads the topic of deployments from its end, in a thread of its own, without a group: every process reads all of it."""

    def __init__(self, bootstrap: str, announced: Callable[[str], object]) -> None:
        """``announced`` is called in that thread, with the model's name."""
        self._bootstrap = bootstrap
        self._announced = announced
        self._problem = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcements", daemon=True)

    def start(self) -> None:
        """Begin to read, until :meth:`close`; returns at once, whether a broker answers or not."""
        self._thread.start()

    def close(self) -> None:
        """Read no more; returns when the thread has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with closing(self._consumer()) as consumer:
                    self._read(consumer)
            except Exception as error:  # noqa: BLE001 - whatever the client raises, serving goes on and reads every second
                self._report(repr(error))
            self._stop.wait(RETRY_SECONDS)

    def _consumer(self) -> "KafkaConsumer":
        from kafka import KafkaConsumer

        consumer = KafkaConsumer(
            **options(self._bootstrap),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            metadata_max_age_ms=TOPICS_MS,
            api_version=PROTOCOL_VERSION,
        )
        consumer.subscribe(pattern=f"^{re.escape(DEPLOYMENTS)}$")  # by its name the broker would create a topic that is missing
        return consumer

    def _read(self, consumer: "KafkaConsumer") -> None:
        while not self._stop.is_set():
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                self._problem = ""
                for model in _models(records):
                    self._announced(model)

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            logger.warning("deployments are not announced (%s); the ledger is read every second instead", problem)
        self._problem = problem


def _models(records: "Iterable[ConsumerRecord]") -> Iterator[str]:
    """The models of some announcements, each once; what is no announcement is left out, and logged."""
    names: dict[str, None] = {}
    for record in records:
        try:
            names[decode_as(_DECODER, record.value).model] = None
        except EventError as error:
            logger.warning("%s %d:%d is no deployment: %s", record.topic, record.partition, record.offset, error)
    yield from names


_DECODER = msgspec.json.Decoder(Deployment)
