"""Every prediction on its way to Kafka: a bounded buffer, one thread that sends, and a spool for when the broker is away.

Order is kept: while anything waits in the spool, what comes later goes behind it (a batch that fails while the buffer
overflows goes behind too). A record leaves the buffer or the spool only when Kafka has acknowledged it or the other holds
it; so one may arrive twice, which falls on its identity in the store, and none is lost.
"""

import logging
import threading
import time
from collections import deque

import msgspec

from everfit.errors import ServiceError
from everfit.serving.outlet import Outlet, Record
from everfit.serving.spool import Spool

CAPACITY_ROWS = 20_000
BATCH_ROWS = 500
RETRY_SECONDS = 1.0
LINGER_SECONDS = 0.02  # a batch gathers that long, so that the sender does not compete with every single answer

logger = logging.getLogger(__name__)


class _Keyed(msgspec.Struct):
    entity: str


_KEY = msgspec.json.Decoder(_Keyed)


class PredictionLog:
    """Takes records without waiting for Kafka; :meth:`close` leaves nothing in memory."""

    def __init__(self, outlet: Outlet, spool: Spool, capacity_rows: int = CAPACITY_ROWS) -> None:
        self._outlet = outlet
        self._spool = spool
        self._capacity_rows = capacity_rows
        self._buffer: deque[Record] = deque()
        self._changed = threading.Condition()
        self._added = len(spool)
        self._acknowledged = 0
        self._wanted = 0  # a flush waits until so many are acknowledged
        self._retry_at = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    @property
    def buffered(self) -> int:
        """Records in memory."""
        return len(self._buffer)

    @property
    def spooled(self) -> int:
        """Records on the disk."""
        return len(self._spool)

    @property
    def acknowledged(self) -> int:
        """Records that Kafka took since the process started."""
        return self._acknowledged

    def add(self, record: Record) -> None:
        """Take a record; where the buffer is full it goes to the spool at once with all that it holds, rather than be lost.

        Raises:
            OSError: when the buffer is full and the disk does not take it either.
        """
        with self._changed:
            if len(self._buffer) < self._capacity_rows:
                self._buffer.append(record)
            else:
                self._spool.append([held.value for held in (*self._buffer, record)])
                self._buffer.clear()
            self._added += 1
            if len(self._buffer) in (1, BATCH_ROWS):
                self._changed.notify_all()

    def flush(self, timeout_seconds: float) -> None:
        """Return when Kafka has acknowledged everything added so far.

        Raises:
            ServiceError: when it has not within the timeout.
        """
        with self._changed:
            wanted = self._added
            self._wanted = max(self._wanted, wanted)
            self._retry_at = 0.0
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._acknowledged >= wanted, timeout_seconds):
                missing = wanted - self._acknowledged
                raise ServiceError(
                    f"Kafka has not taken {missing} predictions within {timeout_seconds} s; they wait in the spool"
                )

    def close(self) -> None:
        """Send what is in memory, or spool it, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._outlet.close()

    def _run(self) -> None:
        while self._wait():
            try:
                self._work()
            except OSError:
                logger.exception("the spool takes nothing, %d predictions are in memory alone", len(self._buffer))
                if self._closing:
                    return
                time.sleep(RETRY_SECONDS)

    def _wait(self) -> bool:
        """Sleep until there is something to do; False when closing and nothing is left in memory."""
        with self._changed:
            while not (self._buffer or self._closing):
                due = self._retry_at - time.monotonic() if self._spool else None
                if due is not None and due <= 0:
                    break
                self._changed.wait(due)
            self._changed.wait_for(self._in_haste, LINGER_SECONDS)
            return bool(self._buffer) or not self._closing

    def _in_haste(self) -> bool:
        return self._closing or self._acknowledged < self._wanted or len(self._buffer) >= BATCH_ROWS

    def _work(self) -> None:
        """Send a batch; from the spool where anything waits there, to the spool where Kafka does not answer."""
        if not self._spool:
            batch = self._take(BATCH_ROWS)
            if self._sent(batch):
                self._acknowledge(len(batch))
            else:
                self._put_back(batch)
                self._to_spool()
            return
        self._to_spool()
        if time.monotonic() >= self._retry_at and not self._closing:
            lines = self._spool.peek(BATCH_ROWS)
            if self._sent([Record(_KEY.decode(line).entity.encode(), line) for line in lines]):
                self._spool.drop(lines)  # before it is told: who flushed finds the spool empty
                self._acknowledge(len(lines))

    def _sent(self, batch: list[Record]) -> bool:
        try:
            self._outlet.send(batch)
        except ServiceError as error:
            logger.warning("%s; predictions go to the spool", error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return False
        return True

    def _acknowledge(self, count: int) -> None:
        with self._changed:
            self._acknowledged += count
            self._changed.notify_all()

    def _to_spool(self) -> None:
        batch = self._take(len(self._buffer))
        if not batch:
            return
        try:
            self._spool.append([record.value for record in batch])
        except OSError:
            self._put_back(batch)
            raise

    def _take(self, count: int) -> list[Record]:
        with self._changed:
            return [self._buffer.popleft() for _ in range(min(count, len(self._buffer)))]

    def _put_back(self, batch: list[Record]) -> None:
        with self._changed:
            self._buffer.extendleft(reversed(batch))
