"""How far a day's figure may lie from those of other days: the range that they spanned, with exponential tails beyond it."""

import math
from collections.abc import Collection, Sequence

import msgspec

LEAST_DAYS = 14  # each weekday twice; fewer tell nothing of what is usual


class Range(msgspec.Struct, frozen=True):
    """The lowest, the middle and the highest of a figure over so many days."""

    low: float
    middle: float
    high: float
    days: int

    @classmethod
    def of(cls, values: Collection[float]) -> "Range | None":
        """Of finite values, one a day; None of none."""
        import numpy as np

        if not len(values):
            return None
        return cls(float(min(values)), float(np.median(list(values))), float(max(values)), len(values))

    def extended(self, values: Collection[float]) -> "Range":
        """With further days, which may lie beyond it."""
        if not len(values):
            return self
        return Range(min(self.low, *values), self.middle, max(self.high, *values), self.days + len(values))

    def limits(self, chance: float) -> tuple[float, float]:
        """What a further day falls below, or exceeds, by that chance each.

        The tail of each side is exponential: half of all days lie beyond the middle, and of n days the farthest lies where
        one of n + 1 is expected, which tells the scale. Heavier than a normal tail, as real days are.
        """
        farther = max(1.0, math.log(0.5 / chance) / math.log(max(math.e, 0.5 * (self.days + 1))))
        return self.middle - farther * (self.middle - self.low), self.middle + farther * (self.high - self.middle)

    def holds(self, value: float, slack: float) -> bool:
        """Whether a value lies inside, or outside by at most that share of the width."""
        beyond = slack * (self.high - self.low)
        return self.low - beyond <= value <= self.high + beyond


RUNS = (3, 7)  # days whose mean is judged beside the day's own figure: what is small but stays
LONGEST = max(RUNS)


class Course(msgspec.Struct, frozen=True):
    """The ranges of a figure from day to day: of single days, and of the mean of as many days in a row as :data:`RUNS` says."""

    single: Range
    runs: list[Range]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Course | None":
        """Of the values of days in order; None of fewer than the longest run."""
        single, runs = Range.of(values), [Range.of(_means(values, run)) for run in RUNS]
        known = [run for run in runs if run]
        return cls(single, known) if single and len(known) == len(RUNS) else None

    def extended(self, values: Sequence[float]) -> "Course":
        """With further days. The newest are not usual yet: they may be the beginning of what is judged."""
        settled = values[: max(0, len(values) - LONGEST + 1)]
        runs = [usual.extended(_means(settled, run)) for run, usual in zip(RUNS, self.runs, strict=True)]
        return Course(self.single.extended(settled), runs)

    def usual(self, days: int) -> Range:
        """The range of the mean of so many days."""
        return self.single if days <= 1 else self.runs[RUNS.index(days)]

    def beyond(self, values: Sequence[float], chance: float) -> "tuple[float, int]":
        """How low or high the newest of days in order is, and over how many days: 0 where it is within its limits.

        Args:
            values: of days in order, the judged one last; of more than :data:`LONGEST` the newest count.
            chance: of a day on which nothing happens, by each of the ranges.
        """
        for days in (1, *RUNS):
            if len(values) >= days:
                mean = math.fsum(values[-days:]) / days
                low, high = self.usual(days).limits(chance)
                if not low <= mean <= high:
                    return mean, days
        return values[-1], 0


def _means(values: Sequence[float], run: int) -> list[float]:
    return [math.fsum(values[at : at + run]) / run for at in range(len(values) - run + 1)]
