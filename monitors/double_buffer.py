"""Read on while the last batch is being written: one batch under way, in the order that they were read."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from everfit.store.log import Batch, LogWriter, Written
from monitors.memory import give_back_large_blocks

SWITCH_SECONDS = 0.0002  # the writer's statements are short: at Python's 5 ms it waits for the reader longer than for Postgres


class _Switching:
    """How fast the threads of the process change over: faster from the first pipeline that opens to the last that closes."""

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


_switching = _Switching()


class Pipeline:
    """Hands batches to a writer in a thread of its own; ``told`` hears of every batch that was committed.

    The rows of a batch that is under way are neither stored nor lost: whoever is killed then reads them again.
    """

    def __init__(self, writer: LogWriter, on_written: Callable[[Written], None]) -> None:
        self._writer = writer
        self._on_written = on_written
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-writer")
        self._under_way: Future[Written | None] | None = None

    def __enter__(self) -> Self:
        _switching.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown(wait=True)
        _switching.close()

    def submit(self, batch: Batch) -> bool:
        """Wait for the batch before and begin to write this one; False, and nothing begun, when that one found no place."""
        if not self.await_batch():
            return False
        self._under_way = self._thread.submit(self._writer.write, batch)
        return True

    def await_batch(self) -> bool:
        """Wait for the batch under way; False when somebody else had moved its partitions: reading must be positioned anew."""
        if self._under_way is None:
            return True
        future, self._under_way = self._under_way, None
        written = future.result()
        if written is None:
            return False
        self._on_written(written)
        return True
