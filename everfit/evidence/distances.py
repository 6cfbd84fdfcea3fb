"""How far a column's window is from its reference. The first two are Evidently's, to the last digit, without its cost."""

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import polars as pl

Measure = Literal["wasserstein", "jensenshannon", "null_share"]

LEAST_DEVIATION = 0.001  # Evidently divides by at least this: a constant column that comes alive is far, not infinitely far


def distance(measure: Measure, reference: "pl.Series", window: "pl.Series") -> float:
    """Distance of two columns; 0 where either holds no value, which is the null share's business.

    ``wasserstein``: earth mover's distance over the reference's standard deviation, of what is finite.
    ``jensenshannon``: square root of the divergence in nats, at most 0.8326, over the values of both.
    ``null_share``: difference of the shares of nulls.
    """
    if measure == "null_share":
        return abs(null_share(window) - null_share(reference))
    reference, window = present(reference), present(window)
    if reference.is_empty() or window.is_empty():
        return 0.0
    return _wasserstein(reference, window) if measure == "wasserstein" else _jensenshannon(reference, window)


def present(column: "pl.Series") -> "pl.Series":
    """The values that are there: neither null nor, for a number, NaN or infinite."""
    column = column.drop_nulls()
    return column.filter(column.is_finite()) if column.dtype.is_float() else column


def null_share(column: "pl.Series") -> float:
    """Share of rows without a value; 0 of no rows."""
    return 1 - len(present(column)) / len(column) if len(column) else 0.0


def _wasserstein(reference: "pl.Series", window: "pl.Series") -> float:
    from scipy.stats import wasserstein_distance

    values = reference.to_numpy()
    return float(wasserstein_distance(values, window.to_numpy()) / max(float(np.std(values)), LEAST_DEVIATION))


def _jensenshannon(reference: "pl.Series", window: "pl.Series") -> float:
    from scipy.spatial.distance import jensenshannon

    shares = [Counter(reference.to_list()), Counter(window.to_list())]
    values = sorted(shares[0].keys() | shares[1].keys())
    p, q = ([found[value] / found.total() for value in values] for found in shares)
    return float(jensenshannon(p, q))
