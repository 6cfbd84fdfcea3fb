"""How far a day's figure may lie from those of other days: the range that they spanned, with exponential tails beyond it."""

import math
from collections.abc import Collection

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
