"""Read on while the last batch is being written: one batch under way, in the order that they were read."""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from everfit.store.log import Batch, LogWriter, Written

SWITCH_SECONDS = 0.0002  # the writer's statements are short: at Python's 5 ms it waits for the reader longer than for Postgres


class Pipeline:
    """Hands batches to a writer in a thread of its own; ``told`` hears of every batch that was committed.

    The rows of a batch that is under way are neither stored nor lost: whoever is killed then reads them again.
    """

    def __init__(self, writer: LogWriter, told: Callable[[Written], None]) -> None:
        self._writer = writer
        self._told = told
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-writer")
        self._under_way: Future[Written | None] | None = None
        self._usual_switch_seconds = sys.getswitchinterval()

    def __enter__(self) -> Self:
        sys.setswitchinterval(SWITCH_SECONDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown(wait=True)
        sys.setswitchinterval(self._usual_switch_seconds)

    def submit(self, batch: Batch) -> bool:
        """Wait for the batch before and begin to write this one; False, and nothing begun, when that one found no place."""
        if not self.settle():
            return False
        self._under_way = self._thread.submit(self._writer.write, batch)
        return True

    def settle(self) -> bool:
        """Wait for the batch under way; False when somebody else had moved its partitions: reading must be positioned anew."""
        if self._under_way is None:
            return True
        future, self._under_way = self._under_way, None
        written = future.result()
        if written is None:
            return False
        self._told(written)
        return True
