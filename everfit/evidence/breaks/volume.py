"""Rows that are missing, and rows that are there twice."""

import math
from collections.abc import Iterator

from everfit.evidence.breaks import EVERY, Break, JudgedDay

LEAST_VOLUME = 0.7  # of the rows of that weekday: what is nearer is never a break
HOURS_GONE = 3  # fewer may be summer time, or a pause
REPEATED = 0.1  # share of the rows beyond the most of a usual day
OFTEN = 0.2  # of the weekday's days that may have no rows


def broken_volume(day: JudgedDay) -> Iterator[Break]:
    """A day without rows, with too few, with empty hours that never are, or with rows that repeat others."""
    volume, weekday = day.profile.volume, day.figures.day.weekday()
    usual = volume.usual(weekday)
    rows = day.figures.rows
    if not rows:
        if usual and volume.empty[weekday] <= OFTEN:
            yield Break(EVERY, "missing_day", 0.0, usual, f"no rows on a {day.figures.day:%A}, which has {usual:.0f}")
        return
    least = min(LEAST_VOLUME, math.exp(volume.others.limits(day.chance)[0])) * usual
    gone = [hour for hour in volume.busy if not day.figures.hours[hour]]
    if rows < least:
        yield Break(EVERY, "volume", float(rows), usual, f"{rows} rows where a {day.figures.day:%A} has {usual:.0f}")
    elif len(gone) >= HOURS_GONE and len(gone) > volume.gone.limits(day.chance)[1]:
        words = f"no rows in {len(gone)} hours that always have some, {gone[0]}:00 to {gone[-1]}:59 UTC"
        yield Break(EVERY, "volume", float(len(gone)), volume.gone.middle, words)
    repeated = day.figures.repeated
    if repeated > max(volume.repeated.limits(day.chance)[1], volume.repeated.high + REPEATED):
        words = f"{repeated:.0%} of the rows repeat another in every column, on usual days at most {volume.repeated.high:.0%}"
        yield Break(EVERY, "duplicates", repeated, volume.repeated.high, words)
