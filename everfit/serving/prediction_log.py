"""The way of every prediction to Kafka: a bounded buffer, one sending thread, and a spool for while the broker is unreachable.

Order is kept: while anything waits in the spool, later records are appended to it (also a batch that fails while the buffer
overflows). A record leaves the buffer or the spool only when Kafka has acknowledged it or the other has it; so it may arrive
twice, which the store detects by its identity, but it is never lost. A record that Kafka will never accept, or that cannot be
read from the spool, is rejected with the reason, and the following ones are sent.
"""

import logging
import threading
import time
from collections import deque

from everfit.errors import ServiceError
from everfit.serving.delivery import Delivery, Done
from everfit.serving.producer import Producer, Record
from everfit.serving.spool import Spool

CAPACITY_ROWS = 20_000
BATCH_ROWS = 500
RETRY_SECONDS = 1.0
TAKE_OVER_SECONDS = 5.0  # between two checks for files that ended processes left in the spool
LINGER_SECONDS = 0.02  # for which a batch is gathered, so that sending does not compete with every single answer

logger = logging.getLogger(__name__)


class PredictionLog:
    """Accepts records without waiting for Kafka; :meth:`close` leaves nothing in memory."""

    def __init__(self, producer: Producer, spool: Spool, capacity_rows: int = CAPACITY_ROWS) -> None:
        self._producer = producer
        self._spool = spool
        self._delivery = Delivery(producer, spool)
        self._capacity_rows = capacity_rows
        self._buffer: deque[Record] = deque()
        self._changed = threading.Condition()
        self._added = len(spool)
        self._done = Done()
        self._wanted = 0  # a flush waits until this many are done
        self._retry_at = 0.0
        self._take_over_at = time.monotonic() + TAKE_OVER_SECONDS
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
        """Records that Kafka acknowledged since the process started."""
        return self._done.sent

    @property
    def rejected(self) -> int:
        """Records that were rejected since the process started, as they can never be sent."""
        return self._done.rejected

    def add(self, record: Record) -> None:
        """Accept a record; where the buffer is full, it and the buffer are written to the spool at once.

        Raises:
            OSError: when the buffer is full and the spool cannot be written.
        """
        with self._changed:
            if len(self._buffer) < self._capacity_rows:
                self._buffer.append(record)
            else:
                self._spool.append([each.value for each in (*self._buffer, record)])
                self._buffer.clear()
            self._added += 1
            if len(self._buffer) in (1, BATCH_ROWS):
                self._changed.notify_all()

    def flush(self, timeout_seconds: float) -> None:
        """Return when Kafka has acknowledged everything added so far, except rejected records.

        Raises:
            ServiceError: when it has not within the timeout.
        """
        with self._changed:
            wanted = self._added
            self._wanted = max(self._wanted, wanted)
            self._retry_at = 0.0
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._done.records >= wanted, timeout_seconds):
                missing = wanted - self._done.records
                raise ServiceError(
                    f"Kafka has not acknowledged {missing} predictions within {timeout_seconds} s; they wait in the spool"
                )

    def close(self) -> None:
        """Send the buffer, or write it to the spool, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._producer.close()
        self._spool.close()

    def _run(self) -> None:
        while self._wait():
            try:
                self._work()
            except Exception:  # the thread must not end: nothing would be sent after that
                logger.exception("nothing can be sent or spooled, %d predictions are only in memory", len(self._buffer))
                if self._closing:
                    return
                time.sleep(RETRY_SECONDS)

    def _wait(self) -> bool:
        """Sleep until there is something to do; False when closing and nothing is left in memory."""
        with self._changed:
            while not (self._buffer or self._closing):
                due = min(self._retry_at, self._take_over_at) if self._spool else self._take_over_at
                if due <= time.monotonic():
                    break
                self._changed.wait(due - time.monotonic())
            self._changed.wait_for(self._in_haste, LINGER_SECONDS)
            return bool(self._buffer) or not self._closing

    def _in_haste(self) -> bool:
        return self._closing or self._done.records < self._wanted or len(self._buffer) >= BATCH_ROWS

    def _work(self) -> None:
        """Send a batch, from the spool where anything waits there; write it to the spool where Kafka does not answer."""
        if time.monotonic() >= self._take_over_at:
            self._take_over()
        if not self._spool:
            self._send()
            return
        self._to_spool()
        if time.monotonic() >= self._retry_at and not self._closing:
            done = self._delivery.work_off(BATCH_ROWS)
            self._count(done, everything=bool(done.records))

    def _take_over(self) -> None:
        self._take_over_at = time.monotonic() + TAKE_OVER_SECONDS
        taken = self._spool.take_over()
        with self._changed:
            self._added += taken

    def _send(self) -> None:
        """Send a batch from memory; records that Kafka did not acknowledge go to the spool."""
        batch = self._take(BATCH_ROWS)
        left = batch
        try:
            done = self._delivery.send(batch)
            left = batch[done.records :]
        finally:
            self._put_back(left)
        self._count(done, everything=not left)
        if left:
            self._to_spool()

    def _count(self, done: Done, *, everything: bool) -> None:
        """Count a batch's result; where Kafka did not answer, wait before the next attempt."""
        if not everything:
            self._retry_at = time.monotonic() + RETRY_SECONDS
        with self._changed:
            self._done = self._done.plus(done)
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
