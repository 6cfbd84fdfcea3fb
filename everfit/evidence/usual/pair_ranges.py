"""Pairs of numbers of which one is above the other in nearly every row: what two columns that are exchanged turn around."""

from collections.abc import Sequence

import msgspec
import numpy as np

from everfit.evidence.day_figures import DayFigures
from everfit.evidence.usual.column_ranges import LEAST_VALUES
from everfit.evidence.usual.ranked_day import Floats, RankedDay
from everfit.evidence.usual.tails import LEAST_DAYS, Range

MOST_NUMBERS = 64  # columns of which each is compared with each other
CLEARLY = 0.8  # of the rows, on every day


class PairRange(msgspec.Struct, frozen=True):
    """``higher`` is above ``lower``: in which share of the rows in which they differ, by day."""

    higher: str
    lower: str
    usual: Range

    @property
    def name(self) -> str:
        """By which a day's figures name it."""
        return f"{self.higher} above {self.lower}"

    def share(self, day: RankedDay) -> float | None:
        """Share of a day's rows that differ; None where too few do."""
        if self.higher not in day.values or self.lower not in day.values:
            return None
        high, low = day.values[self.higher], day.values[self.lower]
        return _share(int((high > low).sum()), int((high < low).sum()))

    def extended(self, days: Sequence[DayFigures]) -> "PairRange":
        """With further days."""
        shares = [day.above[self.name] for day in days if self.name in day.above]
        return msgspec.structs.replace(self, usual=self.usual.extended(shares))


def pair_ranges(days: Sequence[RankedDay], numbers: Sequence[str]) -> list[PairRange]:
    """The pairs of which one was clearly above the other on every day."""
    numbers = numbers[:MOST_NUMBERS]
    if len(days) < LEAST_DAYS or len(numbers) < 2:
        return []
    shares = np.stack([_shares(day, numbers) for day in days if day.rows])
    lowest = np.nanmin(np.where(np.isnan(shares), np.inf, shares), axis=0)
    held = (lowest >= CLEARLY) & (np.isfinite(shares).sum(axis=0) >= LEAST_DAYS)
    pairs = []
    for high, low in zip(*np.nonzero(held), strict=True):
        of_pair = shares[:, high, low]
        usual = Range.of(of_pair[np.isfinite(of_pair)].tolist())
        assert usual is not None
        pairs.append(PairRange(numbers[high], numbers[low], usual))
    return pairs


def _shares(day: RankedDay, numbers: Sequence[str]) -> Floats:
    """share[D, D] of the rows that differ in which the first is above the second, NaN where too few differ."""
    values = np.stack([day.values[name] for name in numbers], axis=1)
    above = np.stack([(values[:, [at]] > values).sum(axis=0) for at in range(len(numbers))])
    differ = above + above.T
    shares: Floats = np.divide(above, differ, out=np.full(above.shape, np.nan), where=differ >= LEAST_VALUES)
    return shares


def _share(above: int, below: int) -> float | None:
    return above / (above + below) if above + below >= LEAST_VALUES else None
