"""Reads the prediction log and the outcomes from the positions stored in Postgres.

Offsets live in Postgres beside the rows, so Kafka's own group offsets are not used. Before reading continues, a partition's
log is compared with its stored position (:mod:`monitors.log_positions`).
"""

import gc
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import attrgetter
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from everfit.declaration import Model
from everfit.environment.kafka_options import consumer_options, options, require_kafka, unusable
from everfit.errors import EventError, ServiceError, UnknownSchemaError
from everfit.store import log, schemas
from everfit.store.bulk_copy import is_plain, outcome_line, prediction_line
from everfit.store.log import Batch, DeadLetter, Position, Step
from everfit.timing import wall_clock
from everfit.topics.contract import Contract
from everfit.topics.events import OUTCOMES, PREDICTIONS
from everfit.topics.log_formats import LogRecord, Translator, translator
from monitors.log_positions import LogPositions, fingerprint
from monitors.transactions import OpenTransactions
from monitors.unreadable_partitions import CHANGED_LOG, Unreadable, concerns_records

TOPICS = (PREDICTIONS, OUTCOMES)
POLL_MS = 50
BOOTSTRAP_MS = 10_000
FETCH_BYTES = 4 * 2**20  # of one partition, of which there is one per fetch: about nine thousand predictions
LEARN_SECONDS = 1.0
VALUE = attrgetter("value")
BATCH_RECORDS = 20_000  # more than a fetch: a remainder would be another batch, and another wait for the writer

logger = logging.getLogger(__name__)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Disable garbage collection in the block: a batch lives until it is written, and would be scanned repeatedly."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class LogReader:
    """A consumer of both topics, positioned by :meth:`open`; close it when done, or use it in a ``with``."""

    def __init__(self, bootstrap: str, models: Mapping[str, Model], topics: Sequence[str] = TOPICS) -> None:
        self._contract = Contract(models)
        self._translator = translator(models)
        self._unknown: dict[str, float] = {}  # schemas that are not registered, and when to look again
        self._topics = topics
        self._at: dict[TopicPartition, Position] = {}
        self._ends: dict[TopicPartition, tuple[int, int]] = {}  # as they are stored, or will be with the last batch
        self._engine: sa.Engine | None = None
        require_kafka(bootstrap)
        try:
            self._admin = KafkaAdminClient(**options(bootstrap), bootstrap_timeout_ms=BOOTSTRAP_MS)
            self._consumer = KafkaConsumer(**self._options(bootstrap))
        except KafkaError as error:
            raise unusable(bootstrap, error) from error
        self._log_positions = LogPositions(bootstrap, self._admin, self._consumer)
        self._transactions = OpenTransactions(self._admin)
        self._unreadable = Unreadable(bootstrap)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._consumer.close()
        self._admin.close()

    def open(self, engine: sa.Engine) -> None:
        """Assign every partition, and seek to the stored positions."""
        self._engine = engine
        self._learn()
        partitions = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(self._consumer.partitions_for_topic(topic) or [])
        ]
        self._consumer.assign(partitions)
        self.reposition()

    def reposition(self) -> None:
        """Seek to the stored positions of the assigned partitions; logs that restarted are read from their beginning.

        An isolated partition is left alone, unless its back-off has ended and it can be read.
        """
        assert self._engine is not None
        partitions = sorted(self._consumer.assignment())
        resume_points = self._log_positions.resume_points(self._engine, partitions)
        with self._engine.connect() as connection:
            ends = log.ends(connection)
        self._at = {partition: point.position for partition, point in resume_points.items()}
        self._ends = {partition: ends.get(partition, (0, 0)) for partition in resume_points}
        for partition, point in resume_points.items():
            self._consumer.seek(partition, point.read_from)
        self._unreadable.open(self._engine, {partition: point.read_from for partition, point in resume_points.items()})
        self._consumer.pause(*self._unreadable.partitions & resume_points.keys())

    @_uncollected()
    def poll(self) -> Batch | None:
        """The new records, decoded; None when a poll returned none.

        Markers of transactions, and records of aborted ones, are skipped: a batch may move a position without any record.
        An unreadable partition is isolated, and reading of the others continues.

        Raises:
            ServiceError: when Kafka does not answer; what was not committed is read again.
        """
        try:
            polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
            positions = self._positions()
            if not polled:
                self._transactions.look({p: at for p, at in positions.items() if at < (self._consumer.highwater(p) or 0)})
        except CHANGED_LOG as error:
            logger.warning("a log has changed: %s", error)
            self.reposition()
            return None
        except Exception as error:
            if not concerns_records(error):
                raise ServiceError(f"Kafka cannot be read: {error!r}; what was not committed is read again") from error
            self._set_aside(error)
            return None
        batch, now = Batch(), wall_clock()
        for partition, records in polled.items():
            read = self._read_predictions if partition.topic == PREDICTIONS else self._read_outcomes
            read(records, now, batch)
        batch.steps += [step for p, at in positions.items() if (step := self._step(p, at, polled.get(p, ())))]
        return batch if batch.steps else None

    def caught_up(self) -> bool:
        """Whether the end of every partition is known and all readable records were read; an empty poll does not show it.

        Records of open transactions do not count: nothing after their first record can be read before they end.
        """
        reading = self._consumer.assignment() - self._unreadable.partitions
        return all(self._is_read(partition, self._consumer.position(partition)) for partition in reading)

    def lag(self) -> int:
        """Number of known records of the assigned partitions that were not read, those of open transactions included."""
        ends = {partition: self._consumer.highwater(partition) or 0 for partition in self._at}
        return sum(max(0, ends[partition] - position.next_offset) for partition, position in self._at.items())

    def _options(self, bootstrap: str) -> dict[str, Any]:
        fetch = {"fetch_max_wait_ms": POLL_MS, "fetch_max_bytes": FETCH_BYTES, "max_partition_fetch_bytes": FETCH_BYTES}
        return consumer_options(bootstrap) | fetch

    def _read_predictions(self, records: Sequence[Any], now: datetime, batch: Batch) -> None:
        check, rows = self._contract.prediction, batch.predictions
        for record, value in self._values(records, batch):
            try:
                try:
                    event = check(value, now)
                except UnknownSchemaError as error:
                    self._learn_of(error)
                    event = check(value, now)
            except EventError as error:
                batch.dead.append(self._dead_letter(record, str(error)))
                continue
            rows.lines.append(prediction_line(event, record.partition, plain=is_plain(value)))
            rows.records.append(record)

    def _learn(self) -> None:
        """Accept the schemas of all versions registered by now."""
        assert self._engine is not None
        with self._engine.connect() as connection:
            self._contract.learn(schemas.of_all(connection))

    def _learn_of(self, error: UnknownSchemaError) -> None:
        """Look for a schema that may have been registered in the meantime; with pauses for the same schema."""
        unknown, now = str(error), time.monotonic()
        if now >= self._unknown.get(unknown, 0.0):
            self._learn()
            self._unknown[unknown] = now + LEARN_SECONDS

    def _read_outcomes(self, records: Sequence[Any], now: datetime, batch: Batch) -> None:
        check, rows = self._contract.outcome, batch.outcomes
        for record, value in self._values(records, batch):
            try:
                event = check(value, now)
            except EventError as error:
                batch.dead.append(self._dead_letter(record, str(error)))
                continue
            rows.lines.append(outcome_line(event))
            rows.records.append(record)

    def _values(self, records: Sequence[Any], batch: Batch) -> Iterable[tuple[Any, Any]]:
        """Each record with its value: everfit's own as it is, another log format's translated."""
        if self._translator is None:
            return zip(records, map(VALUE, records), strict=True)
        return self._translated(self._translator, records, batch)

    def _translated(self, translator: Translator, records: Sequence[Any], batch: Batch) -> Iterator[tuple[Any, bytes]]:
        """A record once for each of its events; what cannot be translated becomes a dead letter."""
        for record in records:
            sent = LogRecord(
                record.topic, record.partition, record.offset, record.value or b"", record.key, dict(record.headers)
            )
            try:
                values = translator.values(sent)
            except EventError as error:
                batch.dead.append(self._dead_letter(record, str(error)))
                continue
            yield from ((record, value) for value in values)

    def _positions(self) -> dict[TopicPartition, int]:
        """The position of each partition that is read."""
        reading = (self._at.keys() & self._consumer.assignment()) - self._unreadable.partitions
        return {partition: self._consumer.position(partition) for partition in reading}

    def _set_aside(self, error: Exception) -> None:
        """Isolate the partitions that made a poll fail."""
        assert self._engine is not None
        unreadable = self._unreadable.blame(self._engine, self._positions(), error)
        self._consumer.pause(*unreadable)
        with self._engine.begin() as connection:
            for partition in unreadable:
                end, start = self._consumer.highwater(partition) or 0, self._consumer.position(partition)
                log.note_end(connection, self._at[partition], end, start)

    def _is_read(self, partition: TopicPartition, position: int) -> bool:
        end = self._consumer.highwater(partition)
        return end is not None and (position >= end or self._transactions.blocks(partition, position))

    def _step(self, partition: TopicPartition, position: int, records: Sequence[Any]) -> Step | None:
        """The move from the partition's former position to the present one; None where nothing changed, its end included."""
        before, highwater = self._at[partition], self._consumer.highwater(partition)
        end = max(highwater or 0, position)
        ends = end, position if self._is_read(partition, position) else end
        if highwater is None or (position, ends) == (before.next_offset, self._ends[partition]):
            return None
        marks = (fingerprint(records[-1].value), records[-1].offset) if records else (before.fingerprint, before.record_offset)
        here = Position(partition.topic, partition.partition, position, before.log_id, *marks)
        self._at[partition], self._ends[partition] = here, ends
        return Step(before.next_offset, here, *ends)

    def _dead_letter(self, record: Any, reason: str) -> DeadLetter:
        log_id = self._at[TopicPartition(record.topic, record.partition)].log_id
        return DeadLetter(record.topic, record.partition, record.offset, log_id, record.value, reason)
