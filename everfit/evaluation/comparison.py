"""A paired comparison: the same rows answered by champion and candidate, resampled day by day.

Rows of the same day are not independent, so days are drawn, not rows (block bootstrap: Künsch, 1989).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from everfit.declaration.metrics import Metric, RankMetric, RowMetric
from everfit.declaration.tasks import Floats, Labels

RESAMPLES = 2_000
RANK_RESAMPLES = 500  # each of them ranks all rows

Days = npt.NDArray[np.generic]
Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean difference of the metric's loss, candidate less champion (below 0 the candidate is better), and its interval.

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
    metric: Metric, days: Days, labels: Labels, champion: Floats, candidate: Floats, *, confidence: float, seed: int = 0
) -> Comparison:
    """Compare the answers on the same rows.

    Args:
        metric: what they are compared by.
        days: days[N], any value that identifies the day of each row.
        labels: labels[N].
        champion: answers[N] or [N, K] of the champion.
        candidate: the same of the candidate.
        confidence: confidence of the two-sided percentile interval.
        seed: seed of the resampling.

    Raises:
        ValueError: when there are no rows.
        MetricError: when a function of the user's fails.
    """
    if len(days) == 0:
        raise ValueError("no rows to compare on")
    interval = loss_interval(metric, days, labels, candidate, less=champion, confidence=confidence, seed=seed)
    return Comparison(*interval, len(np.unique(days)), len(days))


def loss_interval(
    metric: Metric, days: Days, labels: Labels, answers: Floats, *, less: Floats | None = None, confidence: float, seed: int = 0
) -> tuple[float, float, float]:
    """The loss of the answers, less that of the answers ``less`` where these are given, and its lower and upper bound."""
    if isinstance(metric, RankMetric):
        return _rank_interval(metric, days, labels, answers, less, confidence=confidence, seed=seed)
    assert isinstance(metric, RowMetric), f"{metric!r} is neither of rows nor of ranks"
    losses = metric.losses(labels, answers)
    return mean_interval(
        days, losses if less is None else losses - metric.losses(labels, less), confidence=confidence, seed=seed
    )


def mean_interval(days: Days, values: Floats, *, confidence: float, seed: int = 0) -> tuple[float, float, float]:
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


def _rank_interval(
    metric: RankMetric, days: Days, labels: Labels, answers: Floats, less: Floats | None, *, confidence: float, seed: int
) -> tuple[float, float, float]:
    """As :func:`loss_interval`: the metric is computed anew of all rows of the days that were drawn.

    A draw of one outcome alone has no rank. Where more are such than a tail of the interval holds, it is unbounded.
    """

    def loss(counts: Floats) -> float:
        own = metric.counted_loss(labels, answers, counts)
        return own if less is None else own - metric.counted_loss(labels, less, counts)

    _, day = np.unique(days, return_inverse=True)
    whole, number = loss(np.ones(len(labels))), int(day.max(initial=-1)) + 1
    if number < 2 or math.isnan(whole):
        return whole, -math.inf, math.inf
    drawn = np.random.default_rng(seed).integers(number, size=(RANK_RESAMPLES, number))
    losses = np.array([loss(np.bincount(one, minlength=number)[day].astype(np.float64)) for one in drawn])
    defined, tail = losses[np.isfinite(losses)], (1 - confidence) / 2
    if len(defined) <= (1 - tail) * len(losses):
        return whole, -math.inf, math.inf
    lower, upper = np.quantile(defined, [tail, 1 - tail])
    return whole, float(lower), float(upper)


def row_differences(metric: Metric, labels: Labels, champion: Floats, candidate: Floats) -> Callable[[Rows], float | None]:
    """The mean difference over some of the rows, bool[N]; None where the metric is not defined on them."""
    if isinstance(metric, RowMetric):
        differences = metric.losses(labels, candidate) - metric.losses(labels, champion)
        return lambda rows: float(differences[rows].mean())

    def difference(rows: Rows) -> float | None:
        found = metric.loss(labels[rows], candidate[rows]) - metric.loss(labels[rows], champion[rows])
        return None if math.isnan(found) else found

    return difference


def slices(name: str, values: Days, difference: Callable[[Rows], float | None]) -> list[Slice]:
    """The difference for each value of a feature, null included, where it is defined; values[N]."""
    missing = np.array([value is None or value != value for value in values.tolist()], dtype=bool)  # noqa: PLR0124 - NaN
    distinct, inverse = np.unique(values[~missing], return_inverse=True)
    position = np.full(len(values), len(distinct))
    position[~missing] = inverse
    parts = []
    for index, value in enumerate([*distinct, "null"]):
        rows = position == index
        mean = difference(rows) if rows.any() else None
        if mean is not None:
            parts.append(Slice(f"{name}={value}", mean, int(rows.sum())))
    return parts
