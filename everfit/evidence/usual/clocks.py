"""Columns that tell the hour: an integer that goes round once a day, as the hour or the half-hour of a local clock.

The value is an angle, as on a dial, and so is the training time's mean value of each hour, UTC. How much the differences of a
day's rows agree, and on what, is their mean resultant (Mardia & Jupp, Directional Statistics, 2000, chapter 2).
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from everfit.evidence.day_figures import HOURS
from everfit.evidence.usual.column_ranges import LEAST_VALUES
from everfit.evidence.usual.ranked_day import RankedDay
from everfit.evidence.usual.tails import LEAST_DAYS

DIALS = (24, 48, 96, 24 * 60)  # hours, half-hours, quarters, minutes of the day
AGREEING = 0.95  # length of the mean resultant, where 1 is a common difference of all rows


class Clock(msgspec.Struct, frozen=True):
    """A column that tells the hour: how many values go round, and the angle of each hour, UTC."""

    column: str
    steps: int
    angles: list[float]

    def hours_fast(self, day: RankedDay) -> float | None:
        """By how many hours it is ahead of training time, -12 to 12; None where the rows of a day do not agree."""
        agreement, angle = self._difference(day)
        return angle / (2 * np.pi) * HOURS if agreement >= AGREEING else None

    def _difference(self, day: RankedDay) -> tuple[float, float]:
        values = day.values.get(self.column, np.empty(0))
        known = np.isfinite(values)
        if known.sum() < LEAST_VALUES:
            return 0.0, 0.0
        dial = values[known] / self.steps * 2 * np.pi
        mean = np.exp(1j * (dial - np.array(self.angles)[day.hours[known]])).mean()
        return float(abs(mean)), float(np.angle(mean))


def clocks_of(days: Sequence[RankedDay], numbers: Sequence[str]) -> list[Clock]:
    """The numbers that told the hour on every day, but for summer time."""
    if len(days) < LEAST_DAYS:
        return []
    found = []
    for name in numbers:
        values, hours = np.concatenate([day.values[name] for day in days]), np.concatenate([day.hours for day in days])
        known = np.isfinite(values)
        values, hours = values[known], hours[known]
        steps = next((steps for steps in DIALS if len(values) and values.max() - values.min() < steps), 0)
        if not steps or not (values == np.round(values)).all() or values.max() - values.min() < steps / 2:
            continue
        turns = np.exp(2j * np.pi * values / steps)
        angles = [float(np.angle(turns[hours == hour].sum())) for hour in range(HOURS)]
        clock = Clock(name, steps, angles)
        if all(clock.hours_fast(day) is not None for day in days if day.rows >= LEAST_VALUES):
            found.append(clock)
    return found
