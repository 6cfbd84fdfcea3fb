"""How far a column's window is from its reference, without Evidently's cost: ``wasserstein`` and ``jensenshannon`` are its own
distances, to the last digit. The others stand in where these two could not tell a change from none.
"""

import math
from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import polars as pl

Measure = Literal["wasserstein", "scaled_wasserstein", "jensenshannon", "common_jensenshannon", "null_share"]

LEAST_DEVIATION = 0.001  # Evidently divides by at least this: a constant column that comes alive is far, not infinitely far
FINE = LEAST_DEVIATION / 10  # a column that varies less is measured on its own scale
NOISE = 1e-9  # of a column's magnitude: what varies less is constant, written by different arithmetic
COMMON_SHARE = 0.05  # of the rows: categories that are rarer in both are one
FARTHEST_SHARES = math.sqrt(math.log(2))  # of two columns that have no category in common


def distance(measure: Measure, reference: "pl.Series", window: "pl.Series") -> float:
    """Distance of two columns; 0 where either holds no value, which is the null share's business.

    ``wasserstein``: earth mover's distance of what is finite, over the reference's standard deviation or 0.001, what is more.
    ``scaled_wasserstein``: the same over the deviation however small; over a thousandth of its magnitude where it is constant.
    ``jensenshannon``: square root of the divergence in nats, at most 0.8326, over the values of both.
    ``common_jensenshannon``: the same, categories that are rare in both taken together.
    ``null_share``: difference of the shares of nulls.
    """
    if measure == "null_share":
        return abs(null_share(window) - null_share(reference))
    reference, window = present(reference), present(window)
    if reference.is_empty() or window.is_empty():
        return 0.0
    if measure in ("jensenshannon", "common_jensenshannon"):
        return _jensenshannon(reference, window, COMMON_SHARE if measure == "common_jensenshannon" else 0.0)
    return _wasserstein(reference, window, scale(measure, reference, window))


def farthest(measure: Measure, reference: "pl.Series") -> float:
    """The largest distance that any window may have from the reference."""
    if measure == "null_share":
        share = null_share(reference)
        return max(share, 1 - share)
    if present(reference).is_empty():
        return 0.0
    return FARTHEST_SHARES if measure in ("jensenshannon", "common_jensenshannon") else math.inf


def scale(measure: Measure, reference: "pl.Series", window: "pl.Series") -> float:
    """What an earth mover's distance of two columns of finite numbers is divided by."""
    if measure == "wasserstein":
        return max(float(np.std(reference.to_numpy())), LEAST_DEVIATION)
    return deviation_of(reference) or LEAST_DEVIATION * (magnitude(reference) or magnitude(window) or 1.0)


def deviation_of(numbers: "pl.Series") -> float:
    """The standard deviation of finite numbers, 0 of those that are constant but for the noise of arithmetic."""
    values = numbers.to_numpy().astype(np.float64)
    largest = magnitude(numbers)
    found = float(np.std(values / largest)) if largest else 0.0  # of tiny and of huge numbers the squares are none
    return found * largest if found > NOISE else 0.0


def present(column: "pl.Series") -> "pl.Series":
    """The values that are there: neither null nor, for a number, NaN or infinite."""
    column = column.drop_nulls()
    return column.filter(column.is_finite()) if column.dtype.is_float() else column


def null_share(column: "pl.Series") -> float:
    """Share of rows without a value; 0 of no rows."""
    return 1 - len(present(column)) / len(column) if len(column) else 0.0


def common(reference: "pl.Series", window: "pl.Series", share: float = COMMON_SHARE) -> set[str]:
    """The categories that hold at least that share of the rows of one of the two."""
    counted = [(Counter(column.to_list()), len(column)) for column in (reference, window)]
    return {value for counts, rows in counted for value, count in counts.items() if count >= share * rows}


def unseen_share(categories: "pl.Series") -> float:
    """Which share of further rows will hold a category that is not among these, by Good and Turing: that of those met once."""
    counts = Counter(present(categories).to_list())
    return sum(count == 1 for count in counts.values()) / counts.total() if counts else 0.0


def magnitude(numbers: "pl.Series") -> float:
    """The largest of finite numbers, signs aside; 0 of none."""
    return float(np.abs(numbers.to_numpy().astype(np.float64)).max()) if len(numbers) else 0.0


def _wasserstein(reference: "pl.Series", window: "pl.Series", unit: float) -> float:
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(reference.to_numpy(), window.to_numpy()) / unit)


def _jensenshannon(reference: "pl.Series", window: "pl.Series", share: float) -> float:
    from scipy.spatial.distance import jensenshannon

    shares = [Counter(reference.to_list()), Counter(window.to_list())]
    values = sorted(common(reference, window, share))
    p, q = ([counts[value] / counts.total() for value in values] for counts in shares)
    if share:
        p, q = ([*held, max(0.0, 1 - sum(held))] for held in (p, q))
    return float(jensenshannon(p, q))
