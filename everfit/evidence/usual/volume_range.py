"""How many rows a day has: by weekday, by hour, and how many repeat another."""

import math
from collections.abc import Sequence

import msgspec

from everfit.evidence.day_figures import HOURS, DayFigures
from everfit.evidence.usual.tails import Range

WEEKDAYS = 7
GAPS = 0.05  # of the days, those with the fewest rows: a record has gaps, and they are not usual
ALWAYS = 0.95  # share of the days on which an hour has rows that is never empty
NOTHING = Range(0.0, 0.0, 0.0, 0)


class VolumeRange(msgspec.Struct, frozen=True):
    """Volume of the profiled days.

    ``weekdays``: the median rows of each weekday, Monday first, empty days not counted; 0 where there is none.
    ``others``: the range of the logarithm of a day's rows over its weekday's median.
    ``empty``: share of the days without any row, by weekday.
    ``busy``: the hours, UTC, that are never empty, and ``gone`` how many of them are, on a day with rows.
    ``repeated``: share of rows that repeat another.
    """

    weekdays: list[float]
    others: Range
    empty: list[float]
    busy: list[int]
    gone: Range
    repeated: Range

    @classmethod
    def of(cls, days: Sequence[DayFigures], rows: Sequence[int]) -> "VolumeRange":
        """Of the figures of days and of how many rows each had, where the figures are of a sample."""
        import numpy as np

        by_weekday = [[n for d, n in zip(days, rows, strict=True) if d.day.weekday() == at] for at in range(WEEKDAYS)]
        usual = [float(np.median([n for n in counts if n])) if any(counts) else 0.0 for counts in by_weekday]
        empty = [sum(n == 0 for n in counts) / len(counts) if counts else 1.0 for counts in by_weekday]
        held = [(d, n) for d, n in zip(days, rows, strict=True) if n]
        filled = np.array([[count > 0 for count in d.hours] for d, _ in held]).reshape(-1, HOURS)
        busy = [hour for hour in range(HOURS) if held and filled[:, hour].mean() >= ALWAYS]
        return cls(
            weekdays=usual,
            others=Range.of(_without_gaps([math.log(n / usual[d.day.weekday()]) for d, n in held])) or NOTHING,
            empty=empty,
            busy=busy,
            gone=Range.of([-hours for hours in _without_gaps([-_empty_hours(d, busy) for d, _ in held])]) or NOTHING,
            repeated=Range.of([d.repeated for d, _ in held]) or NOTHING,
        )

    def usual(self, weekday: int) -> float:
        """The median rows of a weekday, of all days where training time had none of it."""
        import numpy as np

        known = [rows for rows in self.weekdays if rows]
        return self.weekdays[weekday] or (float(np.median(known)) if known else 0.0)

    def extended(self, days: Sequence[DayFigures]) -> "VolumeRange":
        """With further days: the weekdays' medians become as large as these days are to them, and ranges hold them too."""
        import numpy as np

        ratios = [math.log(d.rows / self.usual(d.day.weekday())) for d in days if self.usual(d.day.weekday())]
        level = float(np.median(ratios)) if ratios else 0.0
        gone = [_empty_hours(day, self.busy) for day in days]
        return msgspec.structs.replace(
            self,
            weekdays=[rows * math.exp(level) for rows in self.weekdays],
            others=self.others.extended([ratio - level for ratio in ratios]),
            gone=self.gone.extended(gone),
            repeated=self.repeated.extended([d.repeated for d in days]),
        )


def _empty_hours(day: DayFigures, busy: Sequence[int]) -> float:
    return float(sum(day.hours[hour] == 0 for hour in busy))


def _without_gaps(values: Sequence[float]) -> Sequence[float]:
    """The values but for the lowest."""
    return sorted(values)[int(GAPS * len(values)) :]
