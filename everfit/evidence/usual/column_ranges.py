"""The ranges of one column's figures over days."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from everfit.declaration.views import Kind
from everfit.evidence.day_figures import LEVELS, WORDS, ColumnFigures, DayFigures
from everfit.evidence.usual.tails import Course, Range

MOST_KNOWN = 1_000  # categories
LEAST_VALUES = 12  # present on a day; of fewer nothing is told but that they are null
LEAST_SHARE = 1e-3
BELOW_ALL = -1e3  # the logarithm of what has none
NEAR_ZERO = 1e-4  # of the usual median


class ColumnRange(msgspec.Struct, frozen=True):
    """Of one column: the range of its daily null share, of the share of its commonest value (as log odds), and of each of its
    daily quantiles, on the scale of their logarithms where none of them is below zero: ``floor`` stands for what is nearer to
    zero, and is 0 where the scale is that of the values.

    ``known``: categories that occurred on more than one day, the commonest :data:`MOST_KNOWN`, with their mean share;
    ``unseen``: the daily share of others. A range is None where no day had values.
    """

    column: str
    kind: Kind
    nulls: Range | None = None
    top: Course | None = None
    floor: float = 0.0
    quantiles: list[Range] = []
    known: dict[str, float] = {}
    unseen: Range | None = None

    @classmethod
    def of(cls, column: str, kind: Kind, days: Sequence[DayFigures]) -> "ColumnRange":
        """Of the figures of days; those of few values do not count, but for the nulls."""
        all_days = _of_column(column, days)
        held = [figures for figures in all_days if figures.values >= LEAST_VALUES]
        numbers = [figures.quantiles for figures in held if figures.quantiles]
        known = _known(held) if kind in WORDS else {}
        part = cls(column, kind, floor=_floor(numbers), known=known)
        return msgspec.structs.replace(
            part,
            nulls=Range.of([figures.nulls for figures in all_days]),
            top=Course.of(part.odds_of_top(days)),
            quantiles=[made for at in range(len(LEVELS)) if (made := Range.of([part.scaled(q[at]) for q in numbers]))],
            unseen=Range.of([part.unseen_share(figures.shares) for figures in held]) if known else None,
        )

    @property
    def is_measure(self) -> bool:
        """Whether it is a number of many values: no flag, class or count of a few."""
        return self.kind == "number" and self.top is not None and self.top.single.middle < 0

    @property
    def is_spread(self) -> bool:
        """Whether its numbers differ on usual days, so that their size says something."""
        return bool(self.quantiles) and self.quantiles[0].middle < self.quantiles[-1].middle

    def scaled(self, value: float) -> float:
        """A value on the scale of the quantiles' ranges."""
        if not self.floor:
            return value
        return math.log(max(value, self.floor)) if value >= 0 else BELOW_ALL

    def unscaled(self, value: float) -> float:
        """The value of a place on that scale."""
        return math.exp(value) if self.floor else value

    def unseen_share(self, shares: dict[str, float]) -> float:
        """Which share of the values is not known."""
        return 1 - min(1.0, sum(share for value, share in shares.items() if value in self.known))

    def odds_of_top(self, days: Sequence[DayFigures]) -> list[float]:
        """The log odds of the commonest value's share on each of the days that have enough values."""
        held = [figures for figures in _of_column(self.column, days) if figures.values >= LEAST_VALUES]
        return [log_odds(figures.top) for figures in held if figures.top]

    def extended(self, days: Sequence[DayFigures]) -> "ColumnRange":
        """With further days. Their categories do not become known: a range holds what share is new."""
        all_days = _of_column(self.column, days)
        held = [figures for figures in all_days if figures.values >= LEAST_VALUES]
        numbers = [figures.quantiles for figures in held if figures.quantiles]
        return msgspec.structs.replace(
            self,
            nulls=_extended(self.nulls, [figures.nulls for figures in all_days]),
            top=self.top and self.top.extended(self.odds_of_top(days)),
            quantiles=[r.extended([self.scaled(q[at]) for q in numbers]) for at, r in enumerate(self.quantiles)],
            unseen=_extended(self.unseen, [self.unseen_share(figures.shares) for figures in held]) if self.known else None,
        )


def _floor(days: Sequence[Sequence[float]]) -> float:
    """A ten-thousandth of the usual median of numbers that are never negative; 0 of others, and where half are zero."""
    import numpy as np

    if not days or min(quantiles[0] for quantiles in days) < 0:
        return 0.0
    return NEAR_ZERO * float(np.median([quantiles[len(LEVELS) // 2] for quantiles in days]))


def log_odds(share: float) -> float:
    """Of a share, none of which is taken to be nearer to 0 or 1 than a thousandth."""
    share = min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)
    return math.log(share / (1 - share))


def share_of(odds: float) -> float:
    """The share of log odds."""
    return 1 / (1 + math.exp(-odds))


def _of_column(column: str, days: Iterable[DayFigures]) -> list[ColumnFigures]:
    return [figures.columns[column] for figures in days if column in figures.columns]


def _known(days: Sequence[ColumnFigures]) -> dict[str, float]:
    total: dict[str, list[float]] = {}
    for figures in days:
        for value, share in figures.shares.items():
            total.setdefault(value, []).append(share)
    often = {value: sum(shares) / len(days) for value, shares in total.items() if len(shares) > 1 or len(days) == 1}
    return dict(sorted(often.items(), key=lambda item: -item[1])[:MOST_KNOWN])


def _extended(past: Range | None, values: Sequence[float]) -> Range | None:
    return past.extended(values) if past else Range.of(values)
