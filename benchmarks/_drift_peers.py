"""What others decide by, each as one number a window that is to be compared with a threshold; own few lines of each.

Evidently's defaults: any column's normalised Wasserstein or Jensen-Shannon distance. Kolmogorov-Smirnov and χ² by column, the
least of the p-values (Bonferroni's correction moves the threshold alone). ADWIN: A. Bifet and R. Gavaldà, "Learning from
time-changing data with adaptive windowing", SDM 2007, its bound ε_cut with variance, solved for the confidence at which two
parts of the windows so far differ; on each number's mean rank, and on the share of each column's first category.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.stats import wasserstein_distance

from benchmarks._drift_streams import NUMBERS, SIZES, Window

Floats = npt.NDArray[np.float64]
NAMES = ("Evidently", "KS and χ², Bonferroni", "ADWIN")


class Reference:
    """One reference sample, and what the peers measure of a window's columns against it."""

    def __init__(self, window: Window) -> None:
        self._numbers = {name: np.sort(window[name]) for name in NUMBERS}
        self._deviations = {name: float(window[name].std()) for name in NUMBERS}
        self._counts = {name: np.bincount(window[name].astype(np.int64), minlength=1_000) for name in SIZES}

    def distance(self, name: str, values: npt.NDArray[np.generic]) -> float:
        """Evidently's."""
        if name in NUMBERS:
            return float(wasserstein_distance(self._numbers[name], values)) / self._deviations[name]
        p, q = (counts / counts.sum() for counts in (self._counts[name], np.bincount(values.astype(np.int64), minlength=1_000)))
        middle = (p + q) / 2
        return float(np.sqrt((special.rel_entr(p, middle).sum() + special.rel_entr(q, middle).sum()) / 2))

    def unlikely(self, name: str, values: npt.NDArray[np.generic]) -> float:
        """-log10 of the p-value of the two-sample test."""
        if name in NUMBERS:
            past, now = self._numbers[name], np.sort(values)
            both = np.concatenate([past, now])
            apart = np.abs(
                np.searchsorted(past, both, "right") / len(past) - np.searchsorted(now, both, "right") / len(now)
            ).max()
            return -float(np.log10(max(special.kolmogorov(np.sqrt(len(past) * len(now) / len(both)) * apart), 1e-300)))
        table = np.array([self._counts[name], np.bincount(values.astype(np.int64), minlength=1_000)], dtype=np.float64)
        table = table[:, table.sum(axis=0) > 0]
        expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
        squares = float(((table - expected) ** 2 / expected).sum())
        return -float(np.log10(max(special.chdtrc(table.shape[1] - 1, squares), 1e-300)))

    def mean(self, name: str, values: npt.NDArray[np.generic]) -> float:
        """What ADWIN is fed, from 0 to 1."""
        if name in NUMBERS:
            return float(np.searchsorted(self._numbers[name], values).mean()) / len(self._numbers[name])
        return float((values == 0).mean())

    def variance(self, name: str) -> float:
        """Of a row of what :meth:`mean` averages."""
        if name in NUMBERS:
            return 1 / 12
        share = self._counts[name][0] / self._counts[name].sum()
        return float(share * (1 - share))


def adwin(means: Floats, rows: int, variance: float) -> float:
    """ln(2 n / δ) at which the best cut of means[W], of so many rows each, would just be one."""
    windows = len(means)
    total = np.cumsum(means)
    cut = np.arange(1, windows)
    apart = np.abs(total[:-1] / cut - (total[-1] - total[:-1]) / (windows - cut))
    size = 1 / (1 / (cut * rows) + 1 / ((windows - cut) * rows))
    a, b = 2 / (3 * size), np.sqrt(2 * variance / size)
    return float(np.square((-b + np.sqrt(b**2 + 4 * a * apart)) / (2 * a)).max())


def measured(reference: Reference, window: Window, past: Mapping[str, Sequence[float]], rows: int) -> dict[str, Floats]:
    """Each peer's number of each column of the window, whose means ``past`` ends with."""
    names = list(window)
    return {
        NAMES[0]: np.array([reference.distance(name, window[name]) for name in names]),
        NAMES[1]: np.array([reference.unlikely(name, window[name]) for name in names]),
        NAMES[2]: np.array([adwin(np.array(past[name]), rows, reference.variance(name)) for name in names]),
    }
