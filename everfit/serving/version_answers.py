"""The answers of a version to the rows of a request: at once, or in the turn of a process of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from everfit.declaration.values import Value
from everfit.training.native_scorer import NativeScorer
from everfit.training.version_scorer import VersionScorer

Rows = Sequence[Mapping[str, Value]]


async def answers_of(scorer: VersionScorer, rows: Rows) -> list[Any]:
    """One answer a row, a number or K numbers. While a process of its own is asked, other requests are answered.

    Raises:
        FeatureError: when a row lacks a feature of the version, or has another type for it.
        ServiceError: when its process is busy for longer than a request waits.
        ProcessEndedError: when its process crashes or hangs; the next request starts it again.
        NotServableError: when its estimator raises anything.
    """
    if isinstance(scorer, NativeScorer):
        return await asyncio.wrap_future(scorer.later(rows))
    return answers_now(scorer, rows)


def answers_now(scorer: VersionScorer, rows: Rows) -> list[Any]:
    """As :func:`answers_of`; the thread waits."""
    return scorer.later(rows).result() if isinstance(scorer, NativeScorer) else [scorer.score_one(row) for row in rows]
