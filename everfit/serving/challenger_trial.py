"""A challenger's answers, as long as it gives them in time: whatever fails or lasts, the champion answers in its place."""

import asyncio
import logging
import time
from functools import partial

from everfit.serving.counters import Metrics
from everfit.serving.exposures import Exposure, ExposureLog
from everfit.serving.producer import Record
from everfit.serving.version_answers import answers_now

ANSWER_SECONDS = 1.0  # which a client waits for a challenger
REST_SECONDS = 10.0  # for which one that was too slow is not asked again

logger = logging.getLogger(__name__)


class ChallengerTrial:
    """Asks challengers."""

    def __init__(self, log: ExposureLog, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self._rests_until: dict[tuple[str, int], float] = {}

    async def answers(self, exposure: Exposure) -> tuple[list[object], list[Record]] | None:
        """An answer a row, and the records to log; None where the champion has to answer, which is counted by cause."""
        name = exposure.model.name, exposure.version.number
        if time.monotonic() < self._rests_until.get(name, 0.0):
            self._stands_in(exposure, "rest")
            return None
        began = time.monotonic()
        try:
            work = exposure.version.aside(partial(answers_now, exposure.version.scorer, exposure.inputs))
            answers = await asyncio.wait_for(work, ANSWER_SECONDS)
            return answers, self._log.records(exposure, answers)
        except TimeoutError:
            if self._rests_until.get(name, 0.0) < began:  # the first of those that wait
                logger.warning("%s: challenger %d gave no answer in %g s; the champion does", *name, ANSWER_SECONDS)
            self._rests_until[name] = time.monotonic() + REST_SECONDS
            self._stands_in(exposure, "slow")
        except Exception:
            logger.exception("%s: challenger %d did not answer; the champion does", *name)
            self._stands_in(exposure, "failed")
        finally:
            self._metrics.seconds.add(time.monotonic() - began, **exposure.labels)
        return None

    def _stands_in(self, exposure: Exposure, cause: str) -> None:
        self._metrics.stand_ins.add(len(exposure.rows), **exposure.labels, cause=cause)
        if cause != "rest":
            self._metrics.failures.add(1, **exposure.labels)
