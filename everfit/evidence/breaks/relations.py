"""Columns that no longer hang together with any other, though each by itself is as ever; and clocks in another zone.

The relations of a column that held on all training days are gone from one day to the next where it was shuffled among the rows
or shifted against them. A relation that has become weaker is drift.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from statistics import fmean

from everfit.evidence.breaks import EVERY, Break, JudgedDay
from everfit.evidence.breaks.units import is_far
from everfit.evidence.relations import HOUR, RankedDay, Relation, correlation
from everfit.evidence.tails import Range

GONE = 0.25  # of what the relations of a column usually are: so little is left of them
LEAST_SHIFT = 2  # hours; one is summer time
AGREES = 0.6  # correlation with the hour once the clock is set right
GAIN = 0.3  # by which setting it right improves it


def broken_clocks(day: JudgedDay, ranked: RankedDay) -> Iterator[Break]:
    """Columns that follow the hour as ever, only hours later; all rows, where most of them do."""
    hourly = [
        relation for relation in day.profile.relations if relation.by == "hour" and relation.name in day.figures.relations
    ]
    shifted = {relation.column: hours for relation in hourly if (hours := _hours_late(day, ranked, relation))}
    if not shifted:
        return
    hours, columns = Counter(shifted.values()).most_common(1)[0]
    if len(hourly) > 1 and columns > len(hourly) / 2:
        words = f"the clock of the rows is {abs(hours)} hours {'slow' if hours > 0 else 'fast'}: {', '.join(shifted)} tell"
        yield Break(EVERY, "clock", float(hours), 0.0, words)
        return
    for column, late in shifted.items():
        yield Break(column, "clock", float(late), 0.0, f"{column} is {abs(late)} hours {'ahead' if late > 0 else 'behind'}")


def _hours_late(day: JudgedDay, ranked: RankedDay, relation: Relation) -> int:
    """By how many hours a column's course is shifted; 0 where it is not, or by no more than summer time."""
    now = day.figures.relations[relation.name]
    if now >= relation.held.limits(day.chance)[0]:
        return 0
    ranks = ranked.ranks[relation.column]
    by_shift = {
        shift: relation.sign * (correlation(ranks, ranked.templated(HOUR, relation.template, shift)) or 0.0)
        for shift in range(-11, 13)
    }
    best = max(by_shift, key=lambda shift: by_shift[shift])
    enough = by_shift[best] >= max(AGREES, now + GAIN, (relation.held.low + relation.held.middle) / 2)
    return best if enough and abs(best) >= LEAST_SHIFT else 0


def broken_relations(day: JudgedDay, named: Collection[str]) -> Iterator[Break]:
    """Columns of which no relation is left, the one with the least first; its relations then speak of no other column."""
    relations = [relation for relation in day.measured_relations() if not {relation.column, relation.other} & {*named}]
    far = {past.column for past, figures in day.measured() if figures.quantiles and is_far(past, figures.quantiles, day.chance)}
    while gone := [left for left in _left(day, relations, far) if left[0] <= GONE]:
        left, _, column, lost = min(gone)
        words = f"{column} no longer hangs together with {_others(column, lost)}: {left:.0%} of what held in training is left"
        yield Break(column, "relation", left, 1.0, words)
        relations = [relation for relation in relations if column not in (relation.column, relation.other)]


def _left(
    day: JudgedDay, relations: Collection[Relation], far: Collection[str]
) -> Iterator[tuple[float, int, str, list[Relation]]]:
    """Of each column whose values are usual and whose relations lie beyond their limits: the share that is left of them."""
    for column in sorted({name for relation in relations for name in (relation.column, relation.other)} - {HOUR, *far}):
        own = [relation for relation in relations if column in (relation.column, relation.other)]
        left = fmean(day.figures.relations[relation.name] / relation.held.middle for relation in own)
        if left < _mean_range(own).limits(day.chance)[0]:
            yield left, -len(own), column, own


def _mean_range(relations: Collection[Relation]) -> Range:
    """The range of the mean share that is left of relations, as wide as if all had their worst day at once."""
    low = fmean(relation.held.low / relation.held.middle for relation in relations)
    high = fmean(relation.held.high / relation.held.middle for relation in relations)
    return Range(low, 1.0, high, min(relation.held.days for relation in relations))


def _others(column: str, relations: Collection[Relation]) -> str:
    told = ["its own value before" if r.by == "before" else r.other if r.column == column else r.column for r in relations]
    return ", ".join(dict.fromkeys(told))
