"""Requests that shadows answer along, once the client has its answer.

Each shadow answers in a thread of its own, in the order of the requests. What it cannot keep up with is dropped and counted:
the requests that wait for it are bounded in number and in time.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from everfit.errors import EverfitError, ServiceError
from everfit.serving.counters import Metrics
from everfit.serving.exposures import Exposure, ExposureLog
from everfit.serving.loaded_versions import Version
from everfit.serving.version_answers import Rows, answers_now

WAITING_ROWS = 10_000  # of one shadow
WAITING_SECONDS = 30.0
AT_ONCE = 64  # requests
SETTLE_SECONDS = 20.0

logger = logging.getLogger(__name__)


class Mirrors:
    """The requests that wait for each shadow."""

    def __init__(self, log: ExposureLog, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self._waiting: dict[Version, _Waiting] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(self, exposure: Exposure) -> None:
        """Let a shadow answer these rows along; they are dropped where too much waits for it."""
        waiting = self._waiting.setdefault(exposure.version, _Waiting())
        self._count_dropped(waiting.drop_overdue())
        if waiting.rows + len(exposure.rows) > WAITING_ROWS:
            self._count_dropped([exposure])
            return
        waiting.add(exposure)
        if not waiting.is_worked_off:
            waiting.is_worked_off = True
            task = asyncio.create_task(self._work_off(exposure.version, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until all that was offered so far is answered or dropped.

        Raises:
            ServiceError: when a shadow is not done in time.
        """
        if self._tasks and (await asyncio.wait(set(self._tasks), timeout=SETTLE_SECONDS))[1]:
            raise ServiceError(f"shadows have not answered all that they were given in {SETTLE_SECONDS:g} s; ask again")

    async def _work_off(self, version: Version, waiting: "_Waiting") -> None:
        try:
            while True:
                self._count_dropped(waiting.drop_overdue())
                if not (taken := waiting.take(AT_ONCE)):
                    return
                answered = await version.aside(partial(_each, version, [exposure.inputs for exposure in taken]))
                for exposure, (answers, seconds) in zip(taken, answered, strict=True):
                    self._metrics.seconds.add(seconds, **exposure.labels)
                    self._log_answers(exposure, answers)
                await asyncio.sleep(0)  # others first
        finally:
            del self._waiting[version]

    def _log_answers(self, exposure: Exposure, answers: list[Any] | Exception) -> None:
        """Log what a shadow answered; its failure is counted and logged, for no client waits for it."""
        failure = answers if isinstance(answers, Exception) else None
        if not isinstance(answers, Exception):
            try:
                self._log.add(exposure, self._log.records(exposure, answers))
            except (EverfitError, OSError) as error:
                failure = error
        if failure:
            self._metrics.failures.add(1, **exposure.labels)
            name, number = exposure.model.name, exposure.version.number
            logger.error("%s: shadow version %d did not answer", name, number, exc_info=failure)

    def _count_dropped(self, exposures: Sequence[Exposure]) -> None:
        for exposure in exposures:
            self._metrics.dropped.add(1, **exposure.labels)


class _Waiting:
    """What waits for one shadow, the oldest first."""

    def __init__(self) -> None:
        self._queue: deque[tuple[float, Exposure]] = deque()
        self.rows = 0
        self.is_worked_off = False

    def add(self, exposure: Exposure) -> None:
        self._queue.append((time.monotonic() + WAITING_SECONDS, exposure))
        self.rows += len(exposure.rows)

    def take(self, requests: int) -> list[Exposure]:
        return [self._pop() for _ in range(min(requests, len(self._queue)))]

    def drop_overdue(self) -> list[Exposure]:
        now, overdue = time.monotonic(), []
        while self._queue and self._queue[0][0] < now:
            overdue.append(self._pop())
        return overdue

    def _pop(self) -> Exposure:
        _, exposure = self._queue.popleft()
        self.rows -= len(exposure.rows)
        return exposure


def _each(version: Version, requests: Sequence[Rows]) -> list[tuple[list[Any] | Exception, float]]:
    """The answers to each request, or what was raised at it, and the seconds that it took; one that fails stops no other."""
    answered: list[tuple[list[Any] | Exception, float]] = []
    for rows in requests:
        began = time.monotonic()
        try:
            answers: list[Any] | Exception = answers_now(version.scorer, rows)
        except Exception as error:  # noqa: BLE001 - whatever a version raises; it is told where it is counted
            answers = error
        answered.append((answers, time.monotonic() - began))
    return answered
