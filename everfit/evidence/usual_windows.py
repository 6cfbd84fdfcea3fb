"""What the training time's own windows say of the next: for each statistic a centre, the week's rhythm and a spread."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from everfit.declaration.tasks import Floats

WEIGHT = 0.3  # of the newest window in the moving average
LEAST_NOISE = 1.0  # of a statistic in units of its sampling noise
MOST_CORRELATED = 0.95
LEAST_CARRIED = -0.4  # where neighbouring windows are opposed
REACH = 8  # windows: what is older hardly counts in the moving average
FEWEST_WEEKS = 3  # of training time; fewer say nothing of the week's rhythm
RARE = 0.01  # probability that the largest of ordinary deviations is larger than what widens the spread


class Usual(NamedTuple):
    """Of statistics[P]: ``centre``[P]; ``rhythm``[M, P] by position in the week, of one row where there is none; ``spread``[P];
    ``deviation``[P] of single windows; ``correlation``[P] of neighbouring ones; ``families``[P]."""

    centre: Floats
    rhythm: Floats
    spread: Floats
    deviation: Floats
    correlation: Floats
    families: npt.NDArray[np.int64]

    def worth(self, windows: int) -> int:
        """To how many independent windows so many amount, of a statistic that is more alike than nine in ten."""
        alike = float(np.quantile(self.correlation, 0.9)) if len(self.correlation) else 0.0
        return int(windows * (1 - alike) / (1 + alike))

    def standardized(self, statistics: Floats, positions: npt.NDArray[np.int64]) -> Floats:
        """z[W, P] of statistics[W, P] at positions[W] in the week."""
        return (statistics - self.centre - self.rhythm[positions % len(self.rhythm)]) / self.spread


def usual(
    statistics: Floats,
    positions: npt.NDArray[np.int64],
    families: npt.NDArray[np.int64],
    noise: Floats | float = LEAST_NOISE,
) -> Usual:
    """Learn from windows in their order what is usual.

    The moving average of a statistic with autocorrelation φ is wider than that of an independent one; ``spread`` is widened
    as much (Schmid, "On EWMA charts for time series", 1997), so that one threshold holds for all, and by what is not known of
    the centre. A statistic with an outlier that no normal distribution explains is widened until one does.

    Args:
        statistics: statistics[W, P] of training windows; NaN where one could not be measured.
        positions: positions[W] in the week, from 0.
        families: families[P], numbers that statistics of one kind have in common.
        noise: the least deviation, of all or of each.
    """
    windows = np.maximum((~np.isnan(statistics)).sum(axis=0), 1)
    centre: Floats = np.nan_to_num(statistics).sum(axis=0) / windows
    rest = np.where(np.isnan(statistics), 0.0, statistics - centre)
    rhythm, spent = _rhythm(rest, positions)
    rest = rest - rhythm[positions % len(rhythm)]
    deviation = np.sqrt(np.square(rest).sum(axis=0) / np.maximum(windows - 1 - spent, 1))
    deviation = np.maximum(np.maximum(deviation, noise), np.abs(rest).max(axis=0) / _largest(len(rest)))
    correlation = _correlation(rest, families)
    carried = correlation * (1 - WEIGHT)
    spread = deviation * np.sqrt((1 + carried) / (1 - carried) * (1 + (1 + spent) / windows))
    return Usual(centre, rhythm, spread, deviation, correlation, families)


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


def _correlation(rest: Floats, families: npt.NDArray[np.int64]) -> Floats:
    """φ of the autoregression whose moving average varies as the statistic's own does, by its autocorrelations so far as
    they count in it.

    What few windows hide of it is added (Marriott and Pope, 1954). Statistics of a family are drawn towards each other as
    far as chance explains how they differ (empirical Bayes; Efron and Morris, 1973).
    """
    windows = len(rest)
    power = np.square(rest).sum(axis=0)
    weights = (1 - WEIGHT) ** np.arange(1, min(REACH, windows // 4) + 1)
    lagged = np.array([(rest[lag:] * rest[:-lag]).sum(axis=0) for lag in range(1, len(weights) + 1)])
    carried = weights @ np.divide(lagged, power, out=np.zeros_like(lagged), where=power > 0)
    carried = np.maximum(carried + weights.sum() * (1 + 2 * np.maximum(carried, 0)) / windows, LEAST_CARRIED)
    found = carried / ((1 - WEIGHT) * (1 + carried))
    noise = float(np.square(weights).sum() / windows) / (1 - WEIGHT) ** 2
    drawn = np.empty_like(found)
    for family in np.unique(families):
        members = found[families == family]
        held = max(0.0, 1 - noise / max(float(members.var()), noise))
        drawn[families == family] = members.mean() + held * (members - members.mean())
    correlation: Floats = np.clip(drawn, 0.0, MOST_CORRELATED)
    return correlation
