"""Every prediction on its way to Kafka: a bounded buffer, one thread that sends, and a spool for when the broker is away.

Order is kept: while anything waits in the spool, what comes later goes behind it (a batch that fails while the buffer
overflows goes behind too). A record leaves the buffer or the spool only when Kafka has acknowledged it or the other holds
it; so one may arrive twice, which falls on its identity in the store, and none is lost. What Kafka will never take, or what
cannot be read in the spool, is set aside with its reason, and what follows goes on.
"""

import logging
import threading
import time
from collections import deque

from everfit.errors import ServiceError
from everfit.serving.delivery import Delivery, Done
from everfit.serving.producer import Outlet, Record
from everfit.serving.spool import Spool

CAPACITY_ROWS = 20_000
BATCH_ROWS = 500
RETRY_SECONDS = 1.0
TAKE_OVER_SECONDS = 5.0  # between two looks for what ended processes left in the spool
LINGER_SECONDS = 0.02  # a batch gathers that long, so that the sender does not compete with every single answer

logger = logging.getLogger(__name__)


class PredictionLog:
    """Takes records without waiting for Kafka; :meth:`close` leaves nothing in memory."""

    def __init__(self, outlet: Outlet, spool: Spool, capacity_rows: int = CAPACITY_ROWS) -> None:
        self._outlet = outlet
        self._spool = spool
        self._delivery = Delivery(outlet, spool)
        self._capacity_rows = capacity_rows
        self._buffer: deque[Record] = deque()
        self._changed = threading.Condition()
        self._added = len(spool)
        self._done = Done()
        self._wanted = 0  # a flush waits until so many are done with
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
        """Records that Kafka took since the process started."""
        return self._done.sent

    @property
    def rejected(self) -> int:
        """Records that were set aside since the process started: they can never be sent."""
        return self._done.rejected

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
        """Return when Kafka has acknowledged everything added so far, but for what was set aside.

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
                    f"Kafka has not taken {missing} predictions within {timeout_seconds} s; they wait in the spool"
                )

    def close(self) -> None:
        """Send what is in memory, or spool it, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._outlet.close()
        self._spool.close()

    def _run(self) -> None:
        while self._wait():
            try:
                self._work()
            except Exception:  # the thread must not end: nothing would be sent any more
                logger.exception("nothing can be sent or spooled, %d predictions are in memory alone", len(self._buffer))
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
        """Send a batch; from the spool where anything waits there, to the spool where Kafka does not answer."""
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
        """Send a batch from memory; what Kafka did not take of it goes to the spool."""
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
        """Add what became of a batch; where Kafka did not answer, it is left alone for a while."""
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
