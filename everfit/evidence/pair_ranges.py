"""By how much one number is above another, of pairs that always were: what two columns that are exchanged turn around."""

from collections.abc import Sequence
from itertools import combinations

import msgspec
import numpy as np

from everfit.evidence.column_ranges import LEAST_VALUES, ColumnRange
from everfit.evidence.day_figures import DayFigures
from everfit.evidence.tails import LEAST_DAYS, Range

MOST_NUMBERS = 64  # columns of which each is compared with each other
CLEAR = 0.25  # of the range's width: so far from 0 it must have been on all days


class PairRange(msgspec.Struct, frozen=True):
    """The mean difference of the quantiles of two columns, by day; of their logarithms where both are above zero."""

    first: str
    second: str
    logarithmic: bool
    usual: Range

    def extended(self, days: Sequence[DayFigures]) -> "PairRange":
        """With further days."""
        return msgspec.structs.replace(self, usual=self.usual.extended(_differences(self, days)))


def pair_ranges(columns: Sequence[ColumnRange], days: Sequence[DayFigures]) -> list[PairRange]:
    """The pairs of numbers of which one was clearly above the other on every day."""
    numbers = [column for column in columns if column.kind == "number" and column.quantiles][:MOST_NUMBERS]
    pairs = []
    for first, second in combinations(numbers, 2):
        pair = PairRange(first.column, second.column, first.logarithmic and second.logarithmic, Range(0.0, 0.0, 0.0, 0))
        usual = Range.of(_differences(pair, days))
        if usual and usual.days >= LEAST_DAYS and max(usual.low, -usual.high) > CLEAR * (usual.high - usual.low):
            pairs.append(msgspec.structs.replace(pair, usual=usual))
    return pairs


def difference(first: Sequence[float], second: Sequence[float], *, logarithmic: bool) -> float | None:
    """How far the quantiles of a day lie above another column's; None where one has none, or a value no logarithm."""
    if not first or not second:
        return None
    if not logarithmic:
        return float(np.mean(first) - np.mean(second))
    if min(*first, *second) <= 0:
        return None
    return float(np.mean(np.log(first)) - np.mean(np.log(second)))


def _differences(pair: PairRange, days: Sequence[DayFigures]) -> list[float]:
    both = [(d.columns[pair.first], d.columns[pair.second]) for d in days if {pair.first, pair.second} <= d.columns.keys()]
    found = [
        difference(a.quantiles, b.quantiles, logarithmic=pair.logarithmic)
        for a, b in both
        if min(a.values, b.values) >= LEAST_VALUES
    ]
    return [value for value in found if value is not None]
