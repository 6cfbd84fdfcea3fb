"""What can be wrong with a day, one module a way to break: each finds its breaks in a :class:`JudgedDay`.

A break is structural. What merely changes its distribution is drift, and no module here names it.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from everfit.evidence.day_figures import ColumnFigures, DayFigures
from everfit.evidence.day_profile import DayProfile
from everfit.evidence.usual.column_ranges import LEAST_VALUES, ColumnRange
from everfit.evidence.usual.relations import Relation

if TYPE_CHECKING:
    import polars as pl

EVERY = "*"  # the rows themselves are suspect

BreakKind = Literal[
    "nulls", "stuck", "scale", "offset", "sign", "swapped", "recoded", "volume", "duplicates", "missing_day", "clock", "labels",
    "relation", "schema", "bounds",
]  # fmt: skip


class Break(msgspec.Struct, frozen=True):
    """What is wrong with a column, or with the rows (``*``), on the judged day and ``days - 1`` before it: the figure, what is
    usual, and both in words."""

    column: str
    kind: BreakKind
    figure: float
    usual: float
    words: str
    days: int = 1

    def told(self, day: date) -> dict[str, Any]:
        """As it stands in a verdict's detail: the days by their dates, oldest first."""
        days = [(day - timedelta(days=back)).isoformat() for back in range(self.days - 1, -1, -1)]
        return msgspec.structs.asdict(self) | {"days": days}


class JudgedDay(NamedTuple):
    """A day's rows and figures, what is usual, the figures of the days before, and by which chance a healthy day's figure may
    lie beyond its limit."""

    profile: DayProfile
    figures: DayFigures
    rows: "pl.DataFrame"
    before: Sequence[DayFigures]
    chance: float

    def measured(self) -> Iterator[tuple[ColumnRange, ColumnFigures]]:
        """The columns that have enough values to be judged by them."""
        for past in self.profile.columns:
            figures = self.figures.columns.get(past.column)
            if figures and figures.values >= LEAST_VALUES:
                yield past, figures

    def measured_relations(self) -> list[Relation]:
        """The profile's relations that could be measured on the day."""
        return [relation for relation in self.profile.relations if relation.name in self.figures.relations]
