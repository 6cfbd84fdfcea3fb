"""Where numbers stand in a reference: their ranks, and what a window's ranks say of its centre and its spread."""

import math
from typing import TYPE_CHECKING

import numpy as np

from everfit.declaration.tasks import Floats
from everfit.evidence.column_statistics import NOISE

if TYPE_CHECKING:
    import polars as pl

FEWEST = 10  # ranks; the mean of fewer says nothing


class Ranks:
    """Ranks in one column of a reference, from -1/2 to 1/2: the share of it that is smaller, ties counted half.

    Of a text that is of its length, of a vector of its norm. Numbers that differ by the noise of arithmetic are equal.
    """

    def __init__(self, column: "pl.Series") -> None:
        numbers = numbers_of(column)
        self._sorted = np.sort(numbers[~np.isnan(numbers)])
        self._noise = NOISE * float(np.median(np.abs(self._sorted))) if len(self._sorted) else 0.0
        own = self._of(self._sorted)
        self.deviation = float(own.std()) if len(own) else 0.0
        self._square = float(np.square(own).mean()) if len(own) else 0.0
        self._square_deviation = float(np.square(own).std()) if len(own) else 0.0

    def of(self, column: "pl.Series") -> Floats:
        """ranks[N], NaN where there is no number, or no reference."""
        return self._of(numbers_of(column))

    def _of(self, numbers: Floats) -> Floats:
        if not len(self._sorted):
            return np.full(len(numbers), np.nan)
        smaller = np.searchsorted(self._sorted, numbers - self._noise, "left")
        not_larger = np.searchsorted(self._sorted, numbers + self._noise, "right")
        ranks = (smaller + not_larger) / (2 * len(self._sorted)) - 0.5
        ranks[np.isnan(numbers)] = np.nan
        return ranks

    def mean(self, ranks: Floats) -> float:
        """The mean of a window's ranks, in standard errors."""
        return _standard(ranks, 0.0, self.deviation)

    def spread(self, ranks: Floats) -> float:
        """Their mean square less the reference's, in standard errors."""
        return _standard(np.square(ranks), self._square, self._square_deviation)


def _standard(values: Floats, usual: float, deviation: float) -> float:
    known = values[~np.isnan(values)]
    if len(known) < FEWEST:
        return math.nan
    root = math.sqrt(len(known))
    return root * (float(known.mean()) - usual) / max(deviation, 1 / (2 * root))  # a constant's: as if of one row of them


def numbers_of(column: "pl.Series") -> Floats:
    """numbers[N] of a column: finite ones, the lengths of texts, the norms of vectors; NaN where there is none."""
    import polars as pl

    numbers: Floats
    if isinstance(column.dtype, pl.Array):
        size = column.dtype.size
        vectors = np.array([[np.nan] * size if row is None else row for row in column.to_list()], dtype=np.float64)
        numbers = np.linalg.norm(vectors.reshape(-1, size), axis=1)
    elif column.dtype == pl.String:
        numbers = column.str.len_chars().cast(pl.Float64).to_numpy(writable=True)
    else:
        numbers = column.cast(pl.Float64).to_numpy(writable=True)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers
