"""The chart that decides on drift: exponentially weighted moving averages of a window's standardized statistics.

S. W. Roberts, "Control chart tests based on geometric moving averages", Technometrics 1 (1959); of many statistics the largest
decides, on one threshold (Lowry, Woodall, Champ and Rigdon, Technometrics 34, 1992, follow them together). What is usual is
learnt from the training time's own windows (:mod:`everfit.evidence.usual_windows`), the threshold simulated for the declared
budget of false alarms (:mod:`everfit.evidence.alarm_limit`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import numpy as np

from everfit.declaration.tasks import Floats
from everfit.evidence.alarm_limit import FARTHEST, FEWEST_WINDOWS, limit
from everfit.evidence.usual_windows import WEIGHT, usual
from everfit.evidence.window_statistics import Statistic

WEEK = timedelta(days=7)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365.25)
LEAST_WINDOWS = 4  # fewer say nothing of how windows vary
DIGITS = 6  # of a moving average that is kept


class Followed(msgspec.Struct, frozen=True):
    """A statistic with what is usual of it: ``rhythm`` is added to the centre by the window's position in the week."""

    name: str
    column: str
    other: str
    centre: float
    spread: float
    rhythm: list[float]

    @property
    def statistic(self) -> Statistic:
        """What is computed of a window."""
        return Statistic(self.name, self.column, self.other)


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Kept with a version. A moving average at or beyond ``threshold`` is an alarm.

    ``rows`` are looked at of a window at most, as in training time; ``windows`` of it were learnt from, worth so many
    independent ones; ``a_year`` false alarms are to be expected, ``budget`` of them were declared.
    """

    followed: list[Followed]
    threshold: float
    rows: int
    window_seconds: float
    windows: int
    worth: int
    budget: float
    a_year: float

    @property
    def window(self) -> timedelta:
        """The length of the windows that it was learnt from."""
        return timedelta(seconds=self.window_seconds)

    @property
    def warning(self) -> str:
        """Why the budget cannot be promised; empty where it is."""
        if self.worth >= FEWEST_WINDOWS and self.a_year <= self.budget:
            return ""
        expected = max(2 * self.budget, self.a_year)  # what few windows say of themselves is uncertain, too
        worth = "" if self.worth == self.windows else f", worth {self.worth} independent ones"
        windows = f"{self.windows} windows of training time{worth}"
        return f"cannot promise {self.budget:g} false alarms a year on {windows}: expect up to {expected:.0f}"


class Averages(NamedTuple):
    """The moving averages[P] after a window, in the order of what the chart follows, and that window's end."""

    values: Sequence[float]
    end: datetime


def learn(
    statistics: Sequence[Statistic],
    windows: Sequence[Floats],
    starts: Sequence[datetime],
    *,
    rows: int,
    length: timedelta,
    budget: float,
    seed: int = 0,
) -> Chart | None:
    """The chart of a training time; None where too few windows say how they vary.

    Args:
        statistics: what is followed.
        windows: of each window, oldest first, statistics[P]; NaN where one could not be measured.
        starts: of the windows.
        rows: of a usual window.
        length: of a window.
        budget: false alarms a year.
        seed: of the simulation.
    """
    if len(windows) < LEAST_WINDOWS:
        return None
    measured = np.vstack(windows)
    known = [at for at in range(len(statistics)) if (~np.isnan(measured[:, at])).sum() >= LEAST_WINDOWS]
    places = np.array([position(start, length) if length < WEEK else 0 for start in starts])
    _, families = np.unique([statistics[at].name for at in known], return_inverse=True)
    learnt = usual(measured[:, known], places, families)
    a_window = length / YEAR
    found = limit(learnt, len(windows), max(1, WEEK // length), budget * a_window, seed=seed)
    rhythm = learnt.rhythm if len(learnt.rhythm) > 1 else np.empty((0, len(known)))
    followed = [
        Followed(*statistics[at], float(centre), float(spread), [float(value) for value in by_place])
        for at, centre, spread, by_place in zip(known, learnt.centre, learnt.spread, rhythm.T, strict=True)
    ]
    return Chart(
        followed=followed,
        threshold=found.threshold,
        rows=rows,
        window_seconds=length.total_seconds(),
        windows=len(windows),
        worth=learnt.worth(len(windows)),
        budget=budget,
        a_year=found.a_year / a_window,
    )


def position(start: datetime, length: timedelta) -> int:
    """Where in the week a window lies, counted in whole windows from Monday, by its middle."""
    return int((start + length / 2 - MONDAY) % WEEK // length) % max(1, WEEK // length)


def follow(chart: Chart, statistics: Floats, start: datetime, before: Averages | None) -> list[float]:
    """The moving averages after the window that starts there; windows that were passed over weigh as quiet ones.

    Args:
        chart: of the version.
        statistics: statistics[P] of the window, in the order of what the chart follows; NaN counts as quiet.
        start: of the window.
        before: the averages after an earlier window; None where there is none.
    """
    place = position(start, chart.window)
    expected = np.array([f.centre + (f.rhythm[place % len(f.rhythm)] if f.rhythm else 0.0) for f in chart.followed])
    z = np.nan_to_num((statistics - expected) / np.array([f.spread for f in chart.followed]))
    kept = np.zeros(len(z))
    if before is not None and len(before.values) == len(z):
        passed = 1 + max(0, round((start - before.end) / chart.window))
        kept = np.array(before.values) * (1 - WEIGHT) ** passed
    averaged = kept + WEIGHT * np.clip(z, -FARTHEST, FARTHEST)
    return [round(value, DIGITS) for value in averaged.tolist()]
