"""Delivery of batches: a record that Kafka will never accept, or that cannot be read from the spool, is rejected alone."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from everfit.errors import RefusedError, ServiceError
from everfit.serving.producer import Producer, Record
from everfit.serving.spool import Spool
from everfit.serving.spool_lines import Entry

logger = logging.getLogger(__name__)


class _Keyed(msgspec.Struct):
    entity: str


_KEY = msgspec.json.Decoder(_Keyed)


class Done(NamedTuple):
    """Numbers of records, from the first on, that Kafka acknowledged and that were rejected."""

    sent: int = 0
    rejected: int = 0

    @property
    def records(self) -> int:
        """Both."""
        return self.sent + self.rejected

    def plus(self, other: "Done") -> "Done":
        """Both together."""
        return Done(self.sent + other.sent, self.rejected + other.rejected)


class Delivery:
    """Sends records, and rejects those that can never be sent; an unreachable broker is no reason to."""

    def __init__(self, producer: Producer, spool: Spool) -> None:
        self._producer = producer
        self._spool = spool

    def send(self, batch: Sequence[Record]) -> Done:
        """Send records; those that Kafka will never accept are found by bisection, and rejected.

        Raises:
            OSError: when rejected records cannot be written to the disk.

        Returns:
            The result for the first records; fewer than all where Kafka does not answer, which is logged.
        """
        if not batch:
            return Done()
        try:
            self._producer.send(batch)
        except RefusedError as error:
            if len(batch) == 1:
                self._spool.reject(batch[0].value, f"{error}, {len(batch[0].value):,} bytes")
                return Done(rejected=1)
        except ServiceError as error:
            logger.warning("%s; predictions go to the spool", error)
            return Done()
        else:
            return Done(sent=len(batch))
        middle = len(batch) // 2
        first = self.send(batch[:middle])
        return first if first.records < middle else first.plus(self.send(batch[middle:]))

    def work_off(self, count: int) -> Done:
        """Send at most ``count`` records of the spool, up to the first unreadable one; an unreadable first one is rejected.

        Raises:
            OSError: as :meth:`send`.
        """
        entries = self._spool.peek(count)
        batch: list[Record] = []
        problem = ""
        for entry in entries:
            record, problem = _record(entry)
            if record is None:
                break
            batch.append(record)
        if batch:
            done = self.send(batch)
        else:
            self._spool.reject(entries[0].value, f"the spool cannot be read here: {problem}")
            done = Done(rejected=1)
        self._spool.drop(entries[: done.records])
        return done


def _record(entry: Entry) -> tuple[Record | None, str]:
    """The record of an entry of the spool; or None, and what is wrong with it."""
    if entry.problem:
        return None, entry.problem
    try:
        return Record(_KEY.decode(entry.value).entity.encode(), entry.value), ""
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, str(error)
