"""A comparison that may be looked at every day: an interval that holds at all looks together.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 52 (2024), of daily values. Days are not independent: the variance is
multiplied by (1 + φ) / (1 - φ), φ the autocorrelation of neighbouring days plus its standard error.
"""

import math
from typing import Literal, NamedTuple

import numpy as np

from everfit.declaration.tasks import Floats
from everfit.evaluation.intervals import are_alike

FEWEST_DAYS = 4  # fewer say nothing of how much days differ
TIGHTEST_DAYS = 28  # the interval is narrowest for about so many
HIGHEST = 0.95  # of φ

Outcome = Literal["worse", "no_worse", "open"]


class Interval(NamedTuple):
    """The mean of daily values, and its bounds; unbounded where there are too few days, or equal ones that are not 0."""

    mean: float
    lower: float
    upper: float
    days: int

    def outcome(self, margin: float) -> Outcome:
        """Whether differences of losses are above 0, or below the margin; open where they may be either."""
        if self.lower > 0:
            return "worse"
        return "no_worse" if self.upper < margin else "open"


def sequence(values: Floats, error: float = 0.1) -> Interval:
    """The interval of the mean after so many days: with a probability of ``error`` at most it misses at any look, ever.

    Args:
        values: values[N], one a day in their order, such as differences of mean losses; those that are not finite are left out.
        error: for both sides together.
    """
    known = values[np.isfinite(values)]
    days = len(known)
    if days < FEWEST_DAYS or (known.any() and are_alike(known)):
        return Interval(float(known.mean()) if days else 0.0, -math.inf, math.inf, days)
    mean = float(known.mean())
    width = math.sqrt(known.var(ddof=1) * _inflation(known) / days) * _quantile(days, error)
    return Interval(mean, mean - width, mean + width, days)


def _quantile(days: int, error: float) -> float:
    """Half the interval's width in standard errors: equation (9) of the source, its parameter as of (10) for TIGHTEST_DAYS.

    That is a quantile of the normal distribution; Student's of the same tail, so that few days do not claim too much.
    """
    from scipy.special import ndtr, stdtrit

    spent = -2 * math.log(error)
    scale = (spent + math.log(spent + 1)) / TIGHTEST_DAYS
    grown = days * scale + 1
    normal = math.sqrt(2 * grown / (days * scale) * math.log(math.sqrt(grown) / error))
    return float(-stdtrit(days - 1, ndtr(-normal)))


def _inflation(values: Floats) -> float:
    centred = values - values.mean()
    power = float(centred @ centred)
    lag = float(centred[1:] @ centred[:-1]) / power if power > 0 else 0.0
    correlation = min(max(lag + 1 / math.sqrt(len(values)), 0.0), HIGHEST)
    return (1 + correlation) / (1 - correlation)
