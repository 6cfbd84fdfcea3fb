"""A paired comparison: the same rows answered by champion and candidate, resampled day by day.

Rows of the same day are not independent, so days are drawn, not rows (block bootstrap: Künsch, 1989).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from everfit.declaration.tasks import Floats

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean difference of the task's loss, candidate less champion (below 0 the candidate is better), and its interval.

    With fewer than two days the interval is unbounded: a single day is no evidence about the next.
    """

    mean: float
    lower: float
    upper: float
    days: int
    rows: int


@dataclass(frozen=True, slots=True)
class Slice:
    """The mean difference over the rows with one value of a feature."""

    name: str
    mean: float
    rows: int


def compare(
    days: npt.NDArray[np.generic], champion_losses: Floats, candidate_losses: Floats, *, confidence: float, seed: int = 0
) -> Comparison:
    """Compare the losses pair by pair.

    Args:
        days: days[N], any value that identifies the day of each row.
        champion_losses: losses[N] of the champion.
        candidate_losses: losses[N] of the candidate on the same rows.
        confidence: confidence of the two-sided percentile interval.
        seed: seed of the resampling.

    Raises:
        ValueError: when there are no rows.
    """
    if len(days) == 0:
        raise ValueError("no rows to compare on")
    interval = mean_interval(days, candidate_losses - champion_losses, confidence=confidence, seed=seed)
    return Comparison(*interval, len(np.unique(days)), len(days))


def mean_interval(
    days: npt.NDArray[np.generic], values: Floats, *, confidence: float, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of values[N] and its lower and upper bound, by drawing whole days with their rows."""
    _, day = np.unique(days, return_inverse=True)
    sums, counts = np.bincount(day, weights=values), np.bincount(day)
    mean = float(values.mean())
    if len(sums) < 2:
        return mean, -math.inf, math.inf
    drawn = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(means, [tail, 1 - tail])
    return mean, float(lower), float(upper)


def slices(name: str, values: npt.NDArray[np.generic], differences: Floats) -> list[Slice]:
    """The mean difference for each value of a feature, null included; values[N], differences[N]."""
    missing = np.array([value is None or value != value for value in values.tolist()], dtype=bool)  # noqa: PLR0124 - NaN
    distinct, inverse = np.unique(values[~missing], return_inverse=True)
    counts = np.bincount(inverse)
    means = np.bincount(inverse, weights=differences[~missing]) / counts
    parts = [
        Slice(f"{name}={value}", float(mean), int(rows)) for value, mean, rows in zip(distinct, means, counts, strict=True)
    ]
    null = differences[missing]
    return [*parts, *([Slice(f"{name}=null", float(null.mean()), len(null))] if len(null) else [])]
