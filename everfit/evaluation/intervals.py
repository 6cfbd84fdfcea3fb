"""What some days tell of the days to come: Student's t on one value a day, widened where a day is like the day before.

Rows of the same day are not independent, so a day is one value, however many rows it has. The variance of the mean is
multiplied by (1 + φ) / (1 - φ), φ the autocorrelation of neighbouring values, as of an autoregression of the first order
(Bartlett, 1946); its estimate is raised by what few values hide of it, (1 + 3 φ) / N (Marriott and Pope, 1954).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from everfit.declaration.metrics import Metric, RankMetric, RowMetric
from everfit.declaration.tasks import Floats, Labels

WEEK = 7
MOST_ALIKE = 0.9  # of φ
ROUNDING = 1e-12  # of the largest value

Days = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of N daily values and its standard error; infinite where the days tell nothing of others.

    That is one day alone, and days that are equal but not 0, which say nothing of how much days differ.
    """

    mean: float
    error: float
    days: int

    @property
    def weekly_spread(self) -> float:
        """The standard deviation of the mean of a week."""
        return self.error * math.sqrt(self.days / WEEK)

    def lower(self, level: float) -> float:
        """The bound that the truth lies below with at most this probability."""
        return self._bound(level)

    def upper(self, level: float) -> float:
        """The bound that the truth lies above with at most this probability."""
        return self._bound(1 - level)

    def p_value(self, limit: float) -> float:
        """How probable so low a mean is, where the truth is the limit or above it."""
        from scipy.special import stdtr

        if not math.isfinite(self.error):
            return 1.0
        if self.error == 0:
            return 0.0 if self.mean < limit else 1.0
        return float(stdtr(self.days - 1, (self.mean - limit) / self.error))

    def _bound(self, quantile: float) -> float:
        from scipy.special import stdtrit

        if not math.isfinite(self.error):
            return math.copysign(math.inf, quantile - 0.5)
        if self.error == 0:
            return self.mean
        return self.mean + float(stdtrit(self.days - 1, quantile)) * self.error


def mean_of_days(values: Floats) -> Mean:
    """The mean of values[N], one a day in their order."""
    number = len(values)
    mean = float(values.mean()) if number else math.nan
    if number < 2 or not np.isfinite(values).all():
        return Mean(mean, math.inf, number)
    apart = values - mean
    square = float(apart @ apart)
    if are_alike(values):
        return Mean(mean, math.inf if values.any() else 0.0, number)
    alike = float(apart[1:] @ apart[:-1]) / square
    alike = min(max(alike + (1 + 3 * alike) / number, 0.0), MOST_ALIKE)
    variance = square / (number - 1) * (1 + alike) / (1 - alike)
    return Mean(mean, math.sqrt(variance / number), number)


def are_alike(values: Floats) -> bool:
    """Whether values[N], N > 0, differ by no more than rounding does."""
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def daily_losses(
    metric: Metric, days: Days, labels: Labels, answers: Floats, *, less: Floats | None = None, weights: Floats | None = None
) -> Floats:
    """One value for each day that has rows, in order; their mean is the loss of all rows, less that of ``less``.

    Of a metric of rows a day counts by its number of rows, linearised about the mean; of ranks, a day's value is the
    jackknife's pseudo-value (Tukey, 1958): how much the figure of all rows owes to it. NaN where there is none.

    Args:
        metric: what the answers are judged by.
        days: days[N], any value that identifies and orders the day of each row.
        labels: labels[N].
        answers: answers[N] or [N, K].
        less: answers to compare with.
        weights: weights[N], positive: how much each row counts; by default all alike.

    Raises:
        MetricError: when a function of the user's fails.
    """
    distinct, day = np.unique(days, return_inverse=True)
    if isinstance(metric, RankMetric):
        counts = np.ones(len(labels)) if weights is None else weights
        return _pseudo_values(metric, day, counts, labels, answers, less)
    assert isinstance(metric, RowMetric), f"{metric!r} is neither of rows nor of ranks"
    losses = metric.losses(labels, answers)
    values = losses if less is None else losses - metric.losses(labels, less)
    counts = np.ones(len(values)) if weights is None else weights
    mean = np.average(values, weights=counts)
    by_day: Floats = mean + np.bincount(day, weights=counts * (values - mean)) * len(distinct) / counts.sum()
    return by_day


def _pseudo_values(
    metric: RankMetric, day: npt.NDArray[np.intp], weights: Floats, labels: Labels, answers: Floats, less: Floats | None
) -> Floats:
    def loss(counts: Floats) -> float:
        own = metric.counted_loss(labels, answers, counts)
        return own if less is None else own - metric.counted_loss(labels, less, counts)

    whole, number = loss(weights), day.max() + 1
    without = np.array([loss(np.where(day != each, weights, 0.0)) for each in range(number)])
    values: Floats = number * whole - (number - 1) * without
    values += whole - values.mean()
    return values
