"""Reading of the log by long-running members of a consumer group, for volumes beyond a sensor's ticks.

A member does what a pass of the sensor does (:mod:`monitors.log_pass`), for the partitions that the group assigns to it, until
it is stopped. Offsets are those in Postgres: the group only distributes the partitions. While a member runs, the sensor leaves
reading and closing windows to it, and launches requested retrainings.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import sqlalchemy as sa
from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import KafkaError

from everfit.declaration import Model
from everfit.errors import ServiceError
from everfit.store import log
from everfit.store.database import reachable
from everfit.store.lake import Lake
from everfit.store.log import Batch, LogWriter
from monitors import memory
from monitors.double_buffer import Pipeline
from monitors.idle_checks import IdleChecks
from monitors.log_reader import LogReader
from monitors.pass_result import PassResult
from monitors.rollout_steps import move_rollouts
from monitors.window_closing import close_windows

GROUP = "everfit.ingest"
SESSION_MS = 10_000  # after which a killed member is removed from the group
RETRY_SECONDS = 2.0

logger = logging.getLogger(__name__)


def ingest(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    stop: threading.Event,
    *,
    group: str = GROUP,
    result: PassResult | None = None,
    beat: Callable[[], None] = lambda: None,
    crowned: Callable[[list[str]], None] = lambda _: None,
) -> PassResult:
    """Read, judge and decide until ``stop`` is set; then finish the batch under way, and release the partitions.

    While Kafka or Postgres does not answer, it waits. ``beat`` is called after every successful pass, ``crowned`` with the
    models to which a rollout has given another champion; neither may wait for anything.
    """
    result = result or PassResult()
    while not stop.is_set():
        try:
            with reachable(engine), log.ingesting(engine):
                _take_part(engine, lake, bootstrap, models, stop, group, result, beat, crowned)
            memory.forget(result.records)
        except ServiceError as error:
            logger.warning("%s; trying again", error)
            stop.wait(RETRY_SECONDS)
    return result


def _take_part(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    stop: threading.Event,
    group: str,
    result: PassResult,
    beat: Callable[[], None],
    crowned: Callable[[list[str]], None],
) -> None:
    """One membership of the group, from joining to leaving."""
    with (
        Pipeline(LogWriter(engine), result.count) as pipeline,
        GroupReader(bootstrap, models, group, pipeline.await_batch) as reader,
    ):
        reader.open(engine)
        idle_checks = IdleChecks()
        while not stop.is_set() and not reader.is_outlived():
            batch = reader.poll()
            if not (pipeline.submit(batch) if batch else pipeline.await_batch()):
                reader.reposition()
                continue
            if idle_checks.due(came=bool(batch), caught_up=reader.caught_up(), now=time.monotonic()):
                _close(engine, lake, bootstrap, models, result, pipeline, crowned)
            beat()
        pipeline.await_batch()


def _close(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    result: PassResult,
    pipeline: Pipeline,
    crowned: Callable[[list[str]], None],
) -> None:
    """Close due windows and look at rollouts, once the members have read all known records."""
    if not pipeline.await_batch():
        return
    with engine.connect() as connection:
        if not log.all_read(connection):
            return
    result.requested = False  # the sensor finds requests by itself: a request does not end the closing here
    close_windows(engine, lake, models, result, math.inf)
    if names := move_rollouts(engine, bootstrap, models, math.inf):
        crowned(names)


class GroupReader(LogReader):
    """A reader of the partitions that a consumer group assigns to it; ``leave`` finishes the batch under way."""

    def __init__(self, bootstrap: str, models: Mapping[str, Model], group: str, leave: Callable[[], bool]) -> None:
        self._group = group
        self._leave = leave
        self._assigned_anew = False
        super().__init__(bootstrap, models)

    def open(self, engine: sa.Engine) -> None:
        """Join the group; partitions come with a later poll.

        Raises:
            ServiceError: when Kafka does not list its partitions, without which this member could assign none.
        """
        self._engine = engine
        try:
            for topic in self._topics:
                self._consumer.partitions_for_topic(topic)
        except KafkaError as error:
            raise ServiceError(f"Kafka does not list its partitions: {error!r}") from error
        self._consumer.subscribe(list(self._topics), listener=_Listener(self))

    def poll(self) -> Batch | None:
        """The new records of the partitions that are assigned now."""
        batch = super().poll()
        if not self._assigned_anew:
            return batch
        self._assigned_anew = False
        self.reposition()
        self._consumer.resume(*self._consumer.paused() - self._unreadable.partitions)
        return None  # a rebalance dropped the fetched records

    def is_outlived(self) -> bool:
        """Whether an isolated partition is readable again, which needs another membership, as this client cannot read it."""
        assert self._engine is not None
        return self._unreadable.can_go_on(self._engine, {p: position.next_offset for p, position in self._at.items()})

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Pause new partitions until their positions are known; no request is sent to a broker inside a rebalance."""
        for partition in partitions:
            self._consumer.seek(partition, 0)
        self._consumer.pause(*partitions)
        self._assigned_anew = True

    def revoked(self) -> None:
        """Finish the batch under way; later records are read by the member that gets the partitions."""
        self._leave()
        self._assigned_anew = True

    def _options(self, bootstrap: str) -> dict[str, Any]:
        return super()._options(bootstrap) | {"group_id": self._group, "session_timeout_ms": SESSION_MS}


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, reader: GroupReader) -> None:
        self._reader = reader

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if revoked:
            self._reader.revoked()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._reader.assigned(assigned)
