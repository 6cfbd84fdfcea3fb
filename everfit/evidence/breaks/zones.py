"""Columns that tell the hour, in another zone."""

from collections.abc import Iterator

from everfit.evidence.breaks import Break, JudgedDay
from everfit.evidence.breaks.lost_relations import told_hours
from everfit.evidence.usual.ranked_day import RankedDay

LEAST_SHIFT = 1.5  # hours; one is summer time


def broken_clocks(day: JudgedDay, ranked: RankedDay) -> Iterator[Break]:
    """Columns that are two hours or more fast or slow."""
    for clock in day.profile.clocks:
        hours = clock.hours_fast(ranked) or 0.0
        if abs(hours) >= LEAST_SHIFT:
            yield Break(clock.column, "clock", hours, 0.0, f"{clock.column} is {told_hours(hours)}")
