"""What the training time's own windows say of the next: for each statistic a centre, the week's rhythm and a spread."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from everfit.declaration.tasks import Floats

WEIGHT = 0.3  # of the newest window in the moving average
LEAST_NOISE = 1.0  # of a statistic in units of its sampling noise
MOST_CORRELATED = 0.95
FEWEST_WEEKS = 3  # of training time; fewer say nothing of the week's rhythm
RARE = 0.01  # probability that the largest of ordinary deviations is larger than what widens the spread


class Usual(NamedTuple):
    """Of statistics[P]: ``centre``[P]; ``rhythm``[M, P] by position in the week, of one row where there is none; ``spread``[P];
    ``deviation``[P] of single windows; ``correlation``[P] of neighbouring ones."""

    centre: Floats
    rhythm: Floats
    spread: Floats
    deviation: Floats
    correlation: Floats

    def standardized(self, statistics: Floats, positions: npt.NDArray[np.int64]) -> Floats:
        """z[W, P] of statistics[W, P] at positions[W] in the week."""
        return (statistics - self.centre - self.rhythm[positions % len(self.rhythm)]) / self.spread


def usual(statistics: Floats, positions: npt.NDArray[np.int64], noise: Floats | float = LEAST_NOISE) -> Usual:
    """Learn from windows in their order what is usual.

    The moving average of a statistic with autocorrelation φ is wider than that of an independent one; ``spread`` is widened
    as much (Schmid, "On EWMA charts for time series", 1997), so that one threshold holds for all, and by what is not known of
    the centre. A statistic with an outlier that no normal distribution explains is widened until one does.

    Args:
        statistics: statistics[W, P] of training windows; NaN where one could not be measured.
        positions: positions[W] in the week, from 0.
        noise: the least deviation, of all or of each.
    """
    windows = np.maximum((~np.isnan(statistics)).sum(axis=0), 1)
    centre: Floats = np.nan_to_num(statistics).sum(axis=0) / windows
    rest = np.where(np.isnan(statistics), 0.0, statistics - centre)
    rhythm, spent = _rhythm(rest, positions)
    rest = rest - rhythm[positions % len(rhythm)]
    deviation = np.sqrt(np.square(rest).sum(axis=0) / np.maximum(windows - 1 - spent, 1))
    deviation = np.maximum(np.maximum(deviation, noise), np.abs(rest).max(axis=0) / _largest(len(rest)))
    correlation = _correlation(rest)
    carried = correlation * (1 - WEIGHT)
    spread = deviation * np.sqrt((1 + carried) / (1 - carried) * (1 + (1 + spent) / windows))
    return Usual(centre, rhythm, spread, deviation, correlation)


def _largest(windows: int) -> float:
    from scipy.special import ndtri

    return float(-ndtri(RARE / 2 / windows))


def _rhythm(rest: Floats, positions: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The means by position in the week, drawn towards 0 as far as chance explains them; and what degrees they cost."""
    weeks = int(positions.max()) + 1
    none = np.zeros((1, rest.shape[1])), np.zeros(rest.shape[1])
    if weeks < 2 or len(rest) < FEWEST_WEEKS * weeks:
        return none
    member = np.equal.outer(np.arange(weeks), positions).astype(np.float64)
    means = member @ rest / np.maximum(member.sum(axis=1), 1)[:, None]
    within = np.square(rest - means[positions]).sum(axis=0) / (len(rest) - weeks)
    between = (member.sum(axis=1)[:, None] * np.square(means)).sum(axis=0) / (weeks - 1)
    held = np.clip(1 - 2 * within / np.maximum(between, 1e-12), 0.0, 1.0)
    return means * held, held * (weeks - 1)


def _correlation(rest: Floats) -> Floats:
    """φ of neighbouring windows, less its bias, each drawn towards that of all as far as chance explains the difference."""
    power = np.square(rest).sum(axis=0)
    raw = np.divide((rest[1:] * rest[:-1]).sum(axis=0), power, out=np.zeros_like(power), where=power > 0)
    found = raw + (1 + 3 * raw) / len(rest)
    common = float(found.mean()) if len(found) else 0.0
    differing = float(found.var()) if len(found) else 0.0
    held = max(0.0, 1 - 1 / len(rest) / differing) if differing > 0 else 0.0
    drawn: Floats = np.clip(common + held * (found - common), 0.0, MOST_CORRELATED)
    return drawn


def steady_deviation() -> float:
    """Of the moving average of independent values of deviation 1, once it has run for long (Roberts 1959)."""
    return math.sqrt(WEIGHT / (2 - WEIGHT))
