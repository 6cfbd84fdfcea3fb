"""Columns that no longer hang together with any other, though each by itself is as ever, and columns that are hours late.

What held on training days and is gone from one day to the next was shuffled among the rows or shifted against them. A relation
that has become weaker is drift.
"""

from collections.abc import Collection, Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from everfit.evidence.breaks import EVERY, Break, JudgedDay
from everfit.evidence.breaks.units import is_far
from everfit.evidence.usual.bonds import Bond
from everfit.evidence.usual.ranked_day import HOUR, RankedDay, correlation
from everfit.evidence.usual.tails import LONGEST, RUNS

GONE = 0.25  # of what ties a column usually: so little is left
HALF = 0.5  # at most that on each of the days
HELD = 0.7  # of what ties it usually: so much there was in the days before, else it did not go from one day to the next
CLEARLY = 0.2  # by which a partner must have lost more to be named in a column's place
LEAST_SHIFT = 2  # hours; one is summer time
FOLLOWS = 0.8  # of the correlation with the hour that is usual: at least that, once the clock is set right


class _Lost(NamedTuple):
    mean_left: float
    relations: int
    column: str
    left: float
    days: int
    bond: Bond


def broken_relations(day: JudgedDay, ranked: RankedDay, named: Collection[str]) -> Iterator[Break]:
    """Columns of which no bond is left, the one with the least first; its relations then speak of no other column."""
    far = {past.column for past, figures in day.measured() if figures.quantiles and is_far(past, figures.quantiles, day.chance)}
    silent, found = {*named}, []
    while lost := sorted(_lost(day, silent, far), key=lambda one: one[:3]):
        worst = _culprit(day, lost[0], silent)
        found.append(worst)
        silent |= {worst.column, lost[0].column}
    shifts = {one.column: _hours_fast(day, ranked, one.column) for one in found}
    if hours := any(shifts.values()) and _common_shift(day, ranked):
        yield Break(EVERY, "clock", -hours, 0.0, f"the rows' times are {told_hours(-hours)}: all that follows the hour says so")
        return
    for one in found:
        if hours := shifts[one.column]:
            yield Break(one.column, "clock", hours, 0.0, f"{one.column} is {told_hours(hours)}", one.days)
        else:
            yield Break(one.column, "relation", one.left, 1.0, _words(day, one), one.days)


def told_hours(hours: float) -> str:
    """How fast a clock is, in words."""
    return f"{abs(hours):.0f} hours {'fast' if hours > 0 else 'slow'}"


def _lost(day: JudgedDay, silent: Collection[str], far: Collection[str]) -> Iterator[_Lost]:
    without = _relations_of(day, silent)
    for bond in day.profile.bonds:
        now = bond.left(day.figures.relations, without)
        if bond.column in silent or bond.column in far or now is None or now > 1:
            continue
        past = [left for figures in day.before if (left := bond.left(figures.relations, without)) is not None]
        left, days = bond.course.beyond([*past[1 - LONGEST :], now], day.chance)
        first = len(past) - max(0, days - 1)
        if (
            days
            and left <= GONE
            and max(past[first:], default=now) <= HALF
            and fmean(past[first - RUNS[0] : first] or [1.0]) >= HELD
        ):
            yield _Lost(bond.mean_left(day.figures.relations, without), -len(bond.weights), bond.column, left, days, bond)


def _culprit(day: JudgedDay, lost: _Lost, silent: Collection[str]) -> _Lost:
    """The same, or the one of its partners that has lost even more: with it this column has lost what tied it most."""
    without = _relations_of(day, silent)
    partners = {name for r in day.profile.relations if r.name in lost.bond.weights for name in (r.column, r.other)}
    bonds = [bond for bond in day.profile.bonds if bond.column in partners - {*silent} and bond.of == lost.bond.of]
    worst = min(bonds, key=lambda bond: bond.mean_left(day.figures.relations, without), default=lost.bond)
    if worst.mean_left(day.figures.relations, without) > min(GONE, lost.mean_left - CLEARLY):
        return lost
    return lost._replace(column=worst.column, bond=worst)


def _relations_of(day: JudgedDay, columns: Collection[str]) -> list[str]:
    return [relation.name for relation in day.profile.relations if {relation.column, relation.other} & {*columns}]


def _common_shift(day: JudgedDay, ranked: RankedDay) -> float:
    """By how many hours all columns that follow the hour are shifted alike; 0 where they are not, or there is but one."""
    dials = {clock.column for clock in day.profile.clocks}  # made of the rows' times themselves, as a rule
    columns = [r.column for r in day.measured_relations() if r.by == "hour" and r.column not in dials]
    shifts = [_hours_fast(day, ranked, column) for column in columns]
    alike = len(shifts) > 1 and all(shifts) and max(shifts) - min(shifts) <= LEAST_SHIFT
    return shifts[0] if alike else 0.0


def _hours_fast(day: JudgedDay, ranked: RankedDay, column: str) -> float:
    """By how many hours a column's course of the day is shifted; 0 where it is not, or by no more than summer time."""
    relation = next((r for r in day.measured_relations() if r.by == "hour" and r.column == column), None)
    if relation is None:
        return 0.0
    ranks = ranked.ranks[column]
    by_shift = {
        shift: relation.sign * (correlation(ranks, ranked.templated(HOUR, relation.template, shift)) or 0.0)
        for shift in range(-11, 13)
    }
    best = max(by_shift, key=lambda shift: by_shift[shift])
    return float(best) if abs(best) >= LEAST_SHIFT and by_shift[best] >= FOLLOWS * relation.usual else 0.0


def _words(day: JudgedDay, lost: _Lost) -> str:
    when = "" if lost.days == 1 else f" over {lost.days} days"
    others = ", ".join(_others(day, lost.bond))
    return f"{lost.column} no longer hangs together with {others}: {lost.left:.0%} of what held is left{when}"


def _others(day: JudgedDay, bond: Bond) -> Sequence[str]:
    relations = [relation for relation in day.profile.relations if relation.name in bond.weights]
    told = ["its own value before" if r.by == "before" else r.other if r.column == bond.column else r.column for r in relations]
    return list(dict.fromkeys(told))
