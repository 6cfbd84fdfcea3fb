"""Reads the next batch while the previous one is written: at most one batch under way, in the order of reading."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from everfit.store.log import Batch, LogWriter, Written
from monitors.memory import give_back_large_blocks

SWITCH_SECONDS = 0.0002  # with Python's 5 ms the writer would wait longer for the reader than for Postgres


class _SwitchInterval:
    """The process's thread switch interval: short from the first pipeline that opens to the last that closes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened = 0
        self._usual_seconds = 0.0

    def open(self) -> None:
        with self._lock:
            self._opened += 1
            if self._opened == 1:
                give_back_large_blocks()
                self._usual_seconds = sys.getswitchinterval()
                sys.setswitchinterval(SWITCH_SECONDS)

    def close(self) -> None:
        with self._lock:
            self._opened -= 1
            if not self._opened:
                sys.setswitchinterval(self._usual_seconds)


_switch_interval = _SwitchInterval()


class Pipeline:
    """Hands batches to a writer in a thread of its own; ``on_written`` is called with every committed batch.

    The records of a batch under way are not lost when the process is killed: they are read again.
    """

    def __init__(self, writer: LogWriter, on_written: Callable[[Written], None]) -> None:
        self._writer = writer
        self._on_written = on_written
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-writer")
        self._under_way: Future[Written | None] | None = None

    def __enter__(self) -> Self:
        _switch_interval.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown(wait=True)
        _switch_interval.close()

    def submit(self, batch: Batch) -> bool:
        """Wait for the previous batch and start writing this one; False, without starting, where that one was not written."""
        if not self.await_batch():
            return False
        self._under_way = self._thread.submit(self._writer.write, batch)
        return True

    def await_batch(self) -> bool:
        """Wait for the batch under way; False where another reader had moved the offsets: reading must be repositioned."""
        if self._under_way is None:
            return True
        future, self._under_way = self._under_way, None
        written = future.result()
        if written is None:
            return False
        self._on_written(written)
        return True
