"""What ties a column to the rest: its relations taken together, 1 as usual, 0 where none is left."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from everfit.evidence.day_figures import DayFigures
from everfit.evidence.usual.relations import Relation
from everfit.evidence.usual.tails import LEAST_DAYS, Course, Range

ENOUGH = 0.5  # of the weight of a bond's relations must be measured on a day
NONE = Range(0.0, 0.0, 0.0, 0)

Measured = Mapping[str, float]  # the correlations of a day, by the relations' names


class Bond(msgspec.Struct, frozen=True):
    """All relations of a column, or those with others alone: a column that is shifted still follows itself.

    One other column alone is too little for that, the hour is not.

    ``weights`` are of the relations' correlations, such that their sum is 1 on a day when each is as usual.
    """

    column: str
    of: Literal["all", "others"]
    weights: dict[str, float]
    usual: dict[str, float]
    course: Course

    def left(self, measured: Measured, without: Collection[str] = ()) -> float | None:
        """How much is left of it on a day; None where too little of it was measured.

        Args:
            measured: of the day.
            without: relations that do not count.
        """
        names = [name for name in self.weights if name in measured and name not in without]
        weight = sum(self.weights[name] * self.usual[name] for name in names)
        return sum(self.weights[name] * measured[name] for name in names) / weight if weight >= ENOUGH else None

    def mean_left(self, measured: Measured, without: Collection[str] = ()) -> float:
        """The same with each relation counted alike: of two columns that lost each other it tells which lost more."""
        shares = [measured[name] / usual for name, usual in self.usual.items() if name in measured and name not in without]
        return sum(shares) / len(shares) if shares else 1.0

    def extended(self, days: Sequence[DayFigures]) -> "Bond":
        """With further days."""
        found = [left for day in days if (left := self.left(day.relations)) is not None]
        return msgspec.structs.replace(self, course=self.course.extended(found))


def bonds_of(relations: Sequence[Relation], days: Sequence[Measured]) -> list[Bond]:
    """The bonds of every column that has relations, by what was measured on days in order."""
    return [
        bond
        for column in sorted({r.column for r in relations} | {r.other for r in relations if r.by != "hour"})
        for bond in _of_column(column, relations, days)
    ]


def _of_column(column: str, relations: Sequence[Relation], days: Sequence[Measured]) -> Iterator[Bond]:
    own = [relation for relation in relations if column in (relation.column, relation.other)]
    others = [relation for relation in own if relation.by != "before"]
    parts: list[tuple[Literal["all", "others"], list[Relation]]] = [("all", own)]
    if len(own) > len(others) and (len(others) > 1 or any(relation.by == "hour" for relation in others)):
        parts.append(("others", others))
    for of, part in parts:
        whole = sum(relation.weight * relation.usual for relation in part)
        weights = {relation.name: relation.weight / whole for relation in part}
        bond = Bond(column, of, weights, {relation.name: relation.usual for relation in part}, Course(NONE, []))
        found = [left for day in days if (left := bond.left(day)) is not None]
        course = Course.of(found)
        if course and len(found) >= LEAST_DAYS:
            yield msgspec.structs.replace(bond, course=course)
