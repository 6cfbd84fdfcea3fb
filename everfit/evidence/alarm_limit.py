"""The threshold of a chart: simulated, so that it is crossed as often as the budget allows where nothing happens.

Training times are drawn as long and as autocorrelated as the real one; each is learnt from as the real one was, and the windows
after it are followed. So what is not known of centre, spread and rhythm counts, as it does in Student's t.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from everfit.declaration.tasks import Floats
from everfit.evidence.usual_windows import WEIGHT, Usual, usual

FARTHEST = 12.0  # a window's z is clipped here
HIGHEST = 3.5  # of a threshold: one window that is as far as it can be passes it
SERIES, FOLLOWED = 6_000, 100  # simulated statistics, and how many windows each is followed for
MOST_TRAINED = 120  # windows of a simulated training time; what more of them add is small
FEWEST_WINDOWS = 30  # that neighbouring ones tell nothing of, to promise a budget
SUPPORT = 20  # crossings below which a rate is extrapolated
STEPS = np.arange(0.8, HIGHEST + 0.025, 0.05)


class Limit(NamedTuple):
    """A threshold for the moving averages of all statistics, and how many false alarms a year it leaves to be expected."""

    threshold: float
    a_year: float


def limit(learnt: Usual, windows: int, positions: int, per_window: float, *, seed: int = 0) -> Limit:
    """The lowest threshold that all statistics together cross at most ``per_window`` times a window.

    Args:
        learnt: of the training time; its autocorrelations are drawn from.
        windows: how many it was learnt from.
        positions: in a week, 1 where windows have none.
        per_window: crossings a window that the budget allows; ``a_year`` of the answer counts in windows, too.
    """
    statistics = len(learnt.centre)
    rates = statistics * crossings(learnt, windows, positions, seed)
    below = np.flatnonzero(rates <= per_window)
    at = int(below[0]) if len(below) else len(STEPS) - 1
    return Limit(float(STEPS[at]), float(rates[at]))


def crossings(learnt: Usual, windows: int, positions: int, seed: int) -> Floats:
    """How often one statistic's moving average crosses each of STEPS upwards, a window."""
    random = np.random.default_rng(seed)
    trained = min(windows, MOST_TRAINED)
    drawn = random.integers(0, len(learnt.centre), SERIES)
    correlation, noise = learnt.correlation[drawn], np.minimum(1.0, 1 / learnt.deviation[drawn])
    series = _autoregressive(random, correlation, trained + FOLLOWED)
    place = np.arange(trained + FOLLOWED) % max(1, positions)
    z = usual(series[:trained], place[:trained], learnt.families[drawn], noise).standardized(series[trained:], place[trained:])
    return _rates(np.abs(averages(z)))


def _autoregressive(random: np.random.Generator, correlation: Floats, length: int) -> Floats:
    series = random.standard_normal((length, len(correlation)))
    innovation = np.sqrt(1 - correlation**2)
    for at in range(1, length):
        series[at] = correlation * series[at - 1] + innovation * series[at]
    return series


def averages(z: Floats) -> Floats:
    """The moving averages[W, P] of z[W, P], from 0."""
    clipped = np.clip(z, -FARTHEST, FARTHEST)
    averaged = np.zeros(clipped.shape[1])
    made = np.empty_like(clipped)
    for at, values in enumerate(clipped):
        averaged = (1 - WEIGHT) * averaged + WEIGHT * values
        made[at] = averaged
    return made


def _rates(sizes: Floats) -> Floats:
    """Upward crossings of each of STEPS; where few were seen, the tail goes on as it fell before."""
    before = np.vstack([np.zeros((1, sizes.shape[1])), sizes[:-1]])
    rising = (sizes >= STEPS[0]) & (sizes > before)
    low, high = np.sort(before[rising]), np.sort(sizes[rising])
    counts = (len(high) - np.searchsorted(high, STEPS, "left")) - (len(low) - np.searchsorted(low, STEPS, "left"))
    return _extrapolated(counts) / sizes.size


def _extrapolated(counts: npt.NDArray[np.int64]) -> Floats:
    seen = np.flatnonzero(counts >= SUPPORT)
    rates = counts.astype(np.float64)
    if not len(seen) or seen[-1] == len(STEPS) - 1:
        return rates
    last = seen[-1]
    first = max(0, last - 6)
    fall = np.log(rates[last] / rates[first]) / (last - first) if last > first else -1.0
    beyond = np.arange(last + 1, len(STEPS))
    rates[beyond] = rates[last] * np.exp(min(fall, -1e-3) * (beyond - last))
    return rates
