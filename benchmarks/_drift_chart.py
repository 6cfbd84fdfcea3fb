"""Everfit's own verdicts in the drift benchmark: the product's statistics and chart, learnt and followed window by window."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks._drift_streams import COLUMNS, DAY, START, Stream, frame
from everfit.evidence.calibration import sample
from everfit.evidence.control_chart import Averages, Chart, follow, learn
from everfit.evidence.window_statistics import Statistic, WindowStatistics, statistics_of

Floats = npt.NDArray[np.float64]
BUDGET = 4.0
YEAR = 365.25
REFERENCE_ROWS, REFERENCE_DAYS = 2_000, 60


def reference(stream: Stream, days: int) -> pl.DataFrame:
    """A sample of the newest of the days before that one, as a training keeps it."""
    newest = pl.concat([frame(stream.window(day)) for day in range(max(0, days - REFERENCE_DAYS), days)])
    return sample(newest, REFERENCE_ROWS, 0)


@dataclass(frozen=True, slots=True)
class Followed:
    """What is followed of a stream's windows."""

    rows: int
    measure: WindowStatistics

    @classmethod
    def of(cls, stream: Stream, past: pl.DataFrame) -> "Followed":
        """All that the product follows of the columns."""
        return cls(stream.rows, WindowStatistics(past, statistics_of(past, COLUMNS)))

    @property
    def statistics(self) -> Sequence[Statistic]:
        """In their order."""
        return self.measure.statistics

    def learn(self, windows: Sequence[Floats], first: int) -> Chart:
        """The chart of windows of one day each, the first on that day."""
        starts: list[datetime] = [START + (first + at) * DAY for at in range(len(windows))]
        made = learn(self.statistics, windows, starts, rows=self.rows, length=DAY, budget=BUDGET)
        assert made is not None
        return made


def sizes(
    chart: Chart, windows: Sequence[Floats], first: int, before: Averages | None = None
) -> tuple[Floats, Averages | None]:
    """The largest moving average after each window, and the state after the last."""
    largest = []
    for at, window in enumerate(windows):
        start = START + (first + at) * DAY
        before = Averages(follow(chart, window, start, before), start + DAY)
        largest.append(max(map(abs, before.values)))
    return np.array(largest), before


def episodes(above: npt.NDArray[np.bool_]) -> int:
    """How often alarms begin."""
    return int((above[1:] & ~above[:-1]).sum() + above[0]) if len(above) else 0


def touching(statistics: Sequence[Statistic], columns: Collection[str]) -> list[int]:
    """The places of the statistics that depend on one of the columns."""
    return [at for at, s in enumerate(statistics) if s.column in columns or s.other in columns]
