"""Values that are missing, that do not move, or that lie outside their declared bounds."""

from collections.abc import Iterable, Iterator

from everfit.evidence.breaks import Break, JudgedDay
from everfit.evidence.column_statistics import present
from everfit.evidence.usual.column_ranges import share_of
from everfit.evidence.usual.tails import LONGEST

NULL_JUMP = 0.2  # share of rows that may be null beyond the emptiest usual day
NEARLY_ALL = 0.75  # of the rows that are never null: so many nulls are a break whatever the tail
VARIED = 0.9  # share of the commonest value on usual days; a column that varies less is never stuck
STUCK_JUMP = 0.2  # share of the commonest value beyond the most of a usual day

Bounds = Iterable[tuple[str, tuple[float, float]]]


def broken_nulls(day: JudgedDay) -> Iterator[Break]:
    """Columns that are null in far more rows than on any usual day."""
    for past in day.profile.columns:
        figures = day.figures.columns.get(past.column)
        if figures is None or past.nulls is None:
            continue
        most, rest = past.nulls.high, 1 - past.nulls.high
        tail = min(past.nulls.limits(day.chance)[1], most + NEARLY_ALL * rest)
        if figures.nulls > max(tail, most + min(NULL_JUMP, rest / 2)):
            words = f"{past.column} is null in {figures.nulls:.0%} of the rows, on usual days in at most {most:.0%}"
            yield Break(past.column, "nulls", figures.nulls, most, words)


def broken_stuck(day: JudgedDay) -> Iterator[Break]:
    """Columns that varied on every usual day, and of which one value now makes up far more than on any."""
    for past, figures in day.measured():
        if past.top is None or not figures.top or past.kind not in ("number", "category"):
            continue
        before = day.before[1 - LONGEST :] if past.is_measure else ()  # the weather may stay for days, a number does not
        odds, days = past.top.beyond(past.odds_of_top([*before, day.figures]), day.chance)
        usual = past.top.usual(days)
        share, most = share_of(odds), share_of(usual.high)
        by_chance = share_of(past.top.single.middle) ** figures.values
        if (
            days
            and most < share
            and share > most + min(STUCK_JUMP, (1 - most) / 2)
            and most <= VARIED
            and by_chance < day.chance
        ):
            value = present(day.rows[past.column]).mode()[0]
            when = "" if days == 1 else f" over {days} days"
            words = f"{past.column} is {value} in {share:.0%} of the rows{when}; on usual days no value in more than {most:.0%}"
            yield Break(past.column, "stuck", share, most, words, days)


def broken_bounds(day: JudgedDay, bounds: Bounds, tolerated: float) -> Iterator[Break]:
    """Columns of which more than the tolerated share of the rows lies outside the declared bounds."""
    for name, (low, high) in bounds:
        if name not in day.rows.columns or not day.rows.schema[name].is_numeric():
            continue
        values = present(day.rows[name])
        beyond = values.filter(~values.is_between(low, high))
        share = len(beyond) / max(1, day.rows.height)
        if share > tolerated:
            words = f"{name} outside {low:g} to {high:g} in {share:.0%} of the rows, such as {beyond[0]:g}"
            yield Break(name, "bounds", share, tolerated, words)
