"""A paired comparison: the same rows answered by champion and candidate, day by day."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from everfit.declaration.metrics import Metric, RowMetric
from everfit.declaration.tasks import Floats, Labels
from everfit.evaluation.intervals import Days, Mean, daily_losses, mean_of_days

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The daily difference of the metric's loss, candidate less champion: below 0 the candidate is better; and its rows."""

    difference: Mean
    rows: int


@dataclass(frozen=True, slots=True)
class Slice:
    """The mean difference over the rows with one value of a feature."""

    name: str
    mean: float
    rows: int


def compare(metric: Metric, days: Days, labels: Labels, champion: Floats, candidate: Floats) -> Comparison:
    """Compare the answers on the same rows.

    Args:
        metric: what they are compared by.
        days: days[N], any value that identifies and orders the day of each row.
        labels: labels[N].
        champion: answers[N] or [N, K] of the champion.
        candidate: the same of the candidate.

    Raises:
        ValueError: when there are no rows.
        MetricError: when a function of the user's fails.
    """
    if len(days) == 0:
        raise ValueError("no rows to compare on")
    return Comparison(mean_of_days(daily_losses(metric, days, labels, candidate, less=champion)), len(days))


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
