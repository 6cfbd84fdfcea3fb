"""How a column hangs together with others, with itself a row before, and with the hour: what held in training time.

Of two numbers it is Spearman's correlation within the day; of a number and a category, or the hour, that of the ranks with the
category's or the hour's mean rank in training time.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np

from everfit.declaration.reserved_columns import LABEL, SCORE
from everfit.evidence.usual.ranked_day import HOUR, Floats, RankedDay, correlation
from everfit.evidence.usual.tails import LEAST_DAYS

LEAST_USUAL, LEAST_STEADY = 0.3, 1.5  # the median correlation, and how many of its deviations from 0 that is
MOST_PER_COLUMN = 6
MOST_NUMBERS = 64  # columns that are related to one another; of more, each to itself and to the hour
LEAST_LEVELS, MOST_LEVELS = 8, 200  # of a category: the means of a few levels change their order by chance
STEADIEST = 0.03  # deviation of a correlation from day to day, at least


class Relation(msgspec.Struct, frozen=True, omit_defaults=True):
    """``column`` with ``other``: a number, the hour, a category by ``template``, or its own value a row before.

    ``usual`` is the median of its daily correlation, ``spread`` the deviation, turned by ``sign`` so that it is positive.
    """

    column: str
    other: str
    by: Literal["number", "before", "hour", "category"]
    usual: float = 0.0
    spread: float = 0.0
    sign: int = 1
    template: dict[str, float] = {}

    @property
    def name(self) -> str:
        """By which a day's figures name it."""
        return f"{self.column} {self.by} {self.other}"

    @property
    def weight(self) -> float:
        """Of this relation among those of a column: the more, the better a day tells it from none (Fisher's discriminant)."""
        return self.usual / max(self.spread, STEADIEST) ** 2

    def measured(self, day: RankedDay) -> float | None:
        """The correlation on a day; None where too few rows have both, or one of them does not vary."""
        if self.column not in day.ranks:
            return None
        found = correlation(day.ranks[self.column], self._other(day))
        return None if found is None else self.sign * found

    def _other(self, day: RankedDay) -> Floats:
        if self.by == "before":
            return day.ranks_before(self.column)
        if self.by == "number":
            return day.ranks.get(self.other, np.full(day.rows, np.nan))
        return day.templated(self.other, self.template)


def held_relations(days: Sequence[RankedDay], numbers: Sequence[str], categories: Sequence[str]) -> list[Relation]:
    """The relations that held from day to day, of each column the :data:`MOST_PER_COLUMN` that tell most."""
    if len(days) < LEAST_DAYS:
        return []
    held = [found for relation in _possible(days, numbers, categories) if (found := _held(relation, days))]
    steady = [relation for relation in held if relation.usual >= max(LEAST_USUAL, LEAST_STEADY * relation.spread)]
    kept: dict[str, Relation] = {}
    for column in (*numbers, *categories):
        of_column = [relation for relation in steady if column in (relation.column, relation.other)]
        of_column.sort(key=lambda relation: (-relation.weight * relation.usual, relation.name))
        kept |= {relation.name: relation for relation in of_column[:MOST_PER_COLUMN]}
    return list(kept.values())


def answers_with_labels(days: Sequence[RankedDay]) -> list[Relation]:
    """That of the labels with the answers, however weak; none where either is no number, or they have none."""
    if len(days) < LEAST_DAYS:
        return []
    held = _held(Relation(LABEL, SCORE, "number"), days)
    return [held] if held and held.sign > 0 else []


def _possible(days: Sequence[RankedDay], numbers: Sequence[str], categories: Sequence[str]) -> Iterator[Relation]:
    yield from (Relation(name, name, "before") for name in numbers)
    if len(numbers) <= MOST_NUMBERS:
        yield from (Relation(a, b, "number") for at, a in enumerate(numbers) for b in numbers[at + 1 :])
    for other in (HOUR, *categories) if numbers else ():
        levels = {value for day in days for value in day.values_of(other)}
        if other == HOUR or LEAST_LEVELS <= len(levels) <= MOST_LEVELS:
            for name, template in _templates(days, numbers, other).items():
                yield Relation(name, other, "hour" if other == HOUR else "category", template=template)


def _held(relation: Relation, days: Sequence[RankedDay]) -> Relation | None:
    found = np.array([value for day in days if (value := relation.measured(day)) is not None])
    if len(found) < max(LEAST_DAYS, len(days) / 2):
        return None
    usual = float(np.median(found))
    sign = -1 if usual < 0 else 1
    return msgspec.structs.replace(relation, sign=sign, usual=sign * usual, spread=float(np.std(found)))


def _templates(days: Sequence[RankedDay], numbers: Sequence[str], other: str) -> dict[str, dict[str, float]]:
    """Of each number its mean rank by level."""
    import polars as pl

    levels = pl.Series("level", [value for day in days for value in day.values_of(other)], pl.String)
    ranks = {name: np.concatenate([day.ranks[name] for day in days]) for name in numbers}
    by_level = pl.DataFrame(ranks).with_columns(levels).fill_nan(None).drop_nulls("level").group_by("level")
    means = by_level.mean().sort("level")
    return {
        name: {level: round(rank, 4) for level, rank in means.select("level", name).iter_rows() if rank is not None}
        for name in numbers
    }
