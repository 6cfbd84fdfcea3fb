"""How a column hangs together with others, with itself a row before, and with the hour: what held on all training days.

Measured on the ranks of a day's values within that day, so that neither a season nor a growing market moves it. Of a pair of
numbers it is Spearman's correlation; of a number and a category, or the hour, that of the ranks with the category's or the
hour's mean rank in training time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from everfit.declaration.reserved_columns import LABEL, SCORE
from everfit.evidence.column_ranges import LEAST_VALUES
from everfit.evidence.column_statistics import as_text
from everfit.evidence.day_figures import DayFigures
from everfit.evidence.tails import LEAST_DAYS, Range

if TYPE_CHECKING:
    import polars as pl

Floats = npt.NDArray[np.float64]
Ranks = Mapping[str, Floats]

HOUR = "hour"
LEAST_HELD = 0.3  # the correlation that nineteen of twenty training days exceed
MOST_PER_COLUMN = 4
MOST_NUMBERS = 64  # columns that are related to one another; of more, each to itself and to the hour
MOST_LEVELS = 200  # of a category
NEUTRAL = 0.5  # the mean of ranks


class Relation(msgspec.Struct, frozen=True, omit_defaults=True):
    """``column`` with ``other``: a number, the hour, a category by ``template``, or its own value a row before.

    ``held`` is the range of the correlation over the training days, turned so that its middle is positive.
    """

    column: str
    other: str
    by: Literal["number", "before", "hour", "category"]
    held: Range
    sign: int = 1
    template: dict[str, float] = {}

    @property
    def name(self) -> str:
        """By which a day's figures name it."""
        return f"{self.column} {self.by} {self.other}"

    def measured(self, day: "RankedDay") -> float | None:
        """The correlation on a day; None where too few rows have both, or one of them does not vary."""
        if self.column not in day.ranks:
            return None
        found = correlation(day.ranks[self.column], self._other(day))
        return None if found is None else self.sign * found

    def extended(self, days: Sequence[DayFigures]) -> "Relation":
        """With further days."""
        found = [day.relations[self.name] for day in days if self.name in day.relations]
        return msgspec.structs.replace(self, held=self.held.extended(found))

    def _other(self, day: "RankedDay") -> Floats:
        if self.by == "before":
            return day.before(self.column)
        if self.by == "number":
            return day.ranks.get(self.other, np.full(day.rows, np.nan))
        return day.templated(self.other, self.template)


class RankedDay:
    """A day's rows in order of time, its numbers as ranks from 0 to 1 within the day, NaN where there is none."""

    def __init__(self, rows: "pl.DataFrame", numbers: Iterable[str], time: str, key: Sequence[str]) -> None:
        import polars as pl

        self.key = [name for name in key if name in rows.columns]
        self._frame = rows.sort(*self.key, time) if self.key else rows.sort(time)
        self.rows = rows.height
        self.hours: Floats = self._frame[time].dt.hour().to_numpy().astype(np.float64)
        finite = [pl.col(name).cast(pl.Float64).replace([np.inf, -np.inf, np.nan], None).alias(name) for name in numbers]
        ranked = self._frame.select(finite).select(pl.all().rank("average") / pl.all().count().clip(1))
        self.ranks: dict[str, Floats] = {name: ranked[name].to_numpy().astype(np.float64) for name in ranked.columns}
        names = self._frame.select(pl.struct(self.key)).to_series() if self.key else pl.Series([0] * rows.height)
        self._follows = np.r_[False, (names[1:] == names[:-1]).to_numpy()] if rows.height else np.zeros(0, bool)

    def before(self, column: str) -> Floats:
        """The ranks a row before, of the same key."""
        return np.where(self._follows, np.r_[np.nan, self.ranks[column][:-1]], np.nan)

    def values_of(self, other: str) -> list[Any]:
        """The hours, or a category's values."""
        return [str(int(hour)) for hour in self.hours] if other == HOUR else as_text(self._frame[other]).to_list()

    def templated(self, other: str, template: Mapping[str, float], shift: int = 0) -> Floats:
        """What the template says of each row; of hours, of the hour ``shift`` later."""
        if other == HOUR:
            by_hour = np.array([template.get(str(hour), NEUTRAL) for hour in range(24)])
            shifted: Floats = by_hour[(self.hours.astype(int) + shift) % 24]
            return shifted
        if other not in self._frame.columns:
            return np.full(self.rows, np.nan)
        return np.array([template.get(value, NEUTRAL) for value in self.values_of(other)])


def correlation(first: Floats, second: Floats) -> float | None:
    """Pearson's, over the rows that have both; None of too few, or where one is constant."""
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < LEAST_VALUES:
        return None
    x, y = first[both] - first[both].mean(), second[both] - second[both].mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 1e-9 * both.sum() else None


def held_relations(days: Sequence[RankedDay], numbers: Sequence[str], categories: Sequence[str]) -> list[Relation]:
    """The relations that held on nearly all days, of each column the :data:`MOST_PER_COLUMN` that did so best."""
    if len(days) < LEAST_DAYS:
        return []
    none = Range(0.0, 0.0, 0.0, 0)
    possible = [Relation(name, name, "before", none) for name in numbers]
    if len(numbers) <= MOST_NUMBERS:
        possible += [Relation(a, b, "number", none) for at, a in enumerate(numbers) for b in numbers[at + 1 :]]
    others = [HOUR, *(name for name in categories if _levels(days, name) in range(2, MOST_LEVELS + 1))]
    for other in others:
        templates = _templates(days, numbers, other)
        by: Literal["hour", "category"] = "hour" if other == HOUR else "category"
        possible += [Relation(name, other, by, none, template=templates[name]) for name in numbers if templates[name]]
    held = [(worst, relation) for worst, relation in (_held(relation, days) for relation in possible) if relation]
    kept: dict[str, Relation] = {}
    for column in (*numbers, *others):
        of_column = sorted(((worst, r.name, r) for worst, r in held if column in (r.column, r.other)), reverse=True)
        kept |= {name: relation for _, name, relation in of_column[:MOST_PER_COLUMN]}
    return list(kept.values())


def answers_with_labels(days: Sequence[RankedDay]) -> list[Relation]:
    """That of the labels with the answers, however weak; none where either is no number, or they have none."""
    if len(days) < LEAST_DAYS:
        return []
    relation = Relation(LABEL, SCORE, "number", Range(0.0, 0.0, 0.0, 0))
    _, held = _held(relation, days, least=-1.0)
    return [held] if held and held.sign > 0 else []


def _held(relation: Relation, days: Sequence[RankedDay], least: float = LEAST_HELD) -> tuple[float, Relation | None]:
    found = np.array([value for day in days if (value := relation.measured(day)) is not None])
    if len(found) < max(LEAST_DAYS, len(days) / 2):
        return 0.0, None
    sign = -1 if np.median(found) < 0 else 1
    worst = float(np.quantile(sign * found, 0.05))
    if worst < least:
        return worst, None
    held = Range.of((sign * found).tolist())
    assert held is not None
    return worst, msgspec.structs.replace(relation, sign=sign, held=held)


def _levels(days: Sequence[RankedDay], category: str) -> int:
    return len({value for day in days for value in day.values_of(category)})


def _templates(days: Sequence[RankedDay], numbers: Sequence[str], other: str) -> dict[str, dict[str, float]]:
    """Of each number its mean rank by level; none where a level's mean says nothing, as all are alike."""
    import polars as pl

    levels = pl.Series("level", [value for day in days for value in day.values_of(other)], pl.String)
    ranks = {name: np.concatenate([day.ranks[name] for day in days]) for name in numbers}
    means = pl.DataFrame(ranks).with_columns(levels).fill_nan(None).drop_nulls("level").group_by("level").mean()
    return {
        name: {level: round(rank, 4) for level, rank in means.select("level", name).iter_rows() if rank is not None}
        for name in numbers
    }
