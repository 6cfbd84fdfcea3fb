"""What the training time's own windows teach of drift: the chart that decides, and thresholds of Evidently's distances.

A user states how many false alarms a year are bearable; the chart keeps to it (:mod:`everfit.evidence.control_chart`). The
distances are what a person is shown of each column. Each distance of each window, less the median and over (95 % quantile -
median), is comparable between columns; the quantile at the budget of the largest, times ``safety``, is where a distance counts
as large. A measure that cannot tell a change of a column from none is exchanged for one that can. Where there are too few
windows for a chart, and of versions of an earlier everfit, the distances decide.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import msgspec

from everfit.declaration import DriftPolicy
from everfit.declaration.reserved_columns import EVENT_TIME, SCORE
from everfit.declaration.views import Kind
from everfit.declaration.window_grid import WindowGrid
from everfit.environment.formats import Kept
from everfit.evidence.control_chart import YEAR, Chart, learn
from everfit.evidence.measures import LEAST_LIMIT, OF_EVERY_COLUMN, measure_named, measures_for
from everfit.evidence.window_statistics import WindowStatistics, statistics_of

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 5_000  # of a window that the chart looks at

Answered = Callable[["pl.DataFrame"], "pl.DataFrame"]


def _as_they_are(rows: "pl.DataFrame") -> "pl.DataFrame":
    return rows


class Threshold(msgspec.Struct, frozen=True):
    """A column's distances in training time, and the distance at which it counts as drifted."""

    column: str
    measure: str
    median: float
    spread: float
    threshold: float

    def blind(self, reference: "pl.Series") -> str:
        """Why no window of note reaches the threshold; empty where one does."""
        return measure_named(self.measure).obstacle(reference, self.threshold)


class Calibration(Kept, frozen=True, kw_only=True):
    """Made once for a champion, kept with its version. ``windows`` is how many of training time it rests on.

    Format 2 may name measures that format 1 did not have. ``chart`` decides; None where the distances do.
    """

    upgrades = (dict,)
    thresholds: list[Threshold]
    limit: float
    windows: int
    min_rows: int
    sample_rows: int
    seed: int
    chart: Chart | None = None
    format: int = 2

    def renewed(self) -> "Calibration":
        """With the scores' column as it is named now, where an earlier version of everfit wrote ``score``."""
        if any(threshold.column == SCORE for threshold in self.thresholds):
            return self
        thresholds = [msgspec.structs.replace(t, column=SCORE) if t.column == "score" else t for t in self.thresholds]
        return msgspec.structs.replace(self, thresholds=thresholds)


def reference_sample(
    policy: DriftPolicy,
    frame: "pl.DataFrame",
    columns: Sequence[tuple[str, Kind]],
    *,
    cutoff: datetime,
    seed: int = 0,
    answered: Answered = _as_they_are,
) -> "pl.DataFrame":
    """At most ``policy.sample_rows`` training rows of the last ``policy.reference`` before the cutoff, in order of time."""
    recent = rows_between(_of_columns(frame, columns), cutoff - policy.reference, cutoff)
    return answered(sample(recent, policy.sample_rows, seed))


def calibrate(
    policy: DriftPolicy,
    frame: "pl.DataFrame",
    reference: "pl.DataFrame",
    columns: Sequence[tuple[str, Kind]],
    *,
    cutoff: datetime,
    seed: int = 0,
    answered: Answered = _as_they_are,
) -> Calibration:
    """Thresholds from the champion's own training time.

    Args:
        policy: the declared budget, window and reference span.
        frame: the training rows: EVENT_TIME and the columns.
        reference: of :func:`reference_sample`.
        columns: name and kind of the features and of the answers.
        cutoff: windows are counted back from here, within the reference span: older ones are no part of the reference.
        seed: of the windows' samples, now and later.
        answered: adds the columns of the answers to sampled rows, where the training rows lack them.
    """
    import numpy as np

    windows = training_windows(policy, _of_columns(frame, columns), cutoff)
    bounds = {"min_rows": policy.min_rows, "sample_rows": policy.sample_rows, "seed": seed}
    if not windows:
        return Calibration(thresholds=[], limit=LEAST_LIMIT, windows=0, chart=None, **bounds)
    rows = min(MOST_ROWS, int(np.median([window.height for window in windows])))
    looked_at = [answered(sample(window, max(rows, policy.sample_rows), seed)) for window in windows]
    chart = _chart(policy, reference, columns, [sample(window, rows, seed) for window in looked_at], cutoff=cutoff, seed=seed)
    samples = [sample(window, policy.sample_rows, seed) for window in looked_at]
    measured = [
        (name, measure)
        for name, kind in columns
        for measure in measures_for(kind, reference[name], [rows[name] for rows in samples], policy.floor)
    ]
    measured += [(name, measure) for measure in OF_EVERY_COLUMN for name, _ in columns]
    distances = np.array([[measure.distance(reference[name], rows[name]) for name, measure in measured] for rows in samples])
    medians = np.median(distances, axis=0)
    spreads = np.maximum(np.quantile(distances, 0.95, axis=0) - medians, policy.floor)
    largest = ((distances - medians) / spreads).max(axis=1)
    level = max(0.0, 1 - policy.false_alarms_per_year * (policy.window / YEAR))
    limit = max(LEAST_LIMIT, policy.safety * float(np.quantile(largest, level)))
    thresholds = []
    for (name, measure), of_column, median, spread in zip(measured, distances.T, medians, spreads, strict=True):
        threshold = Threshold(name, measure.name, float(median), float(spread), float(median + limit * spread))
        thresholds.append(_reachable(threshold, float(of_column.max()), limit, measure.farthest(reference[name])))
    return Calibration(thresholds=thresholds, limit=limit, windows=len(windows), chart=chart, **bounds)


def _chart(
    policy: DriftPolicy,
    reference: "pl.DataFrame",
    columns: Sequence[tuple[str, Kind]],
    windows: "Sequence[pl.DataFrame]",
    *,
    cutoff: datetime,
    seed: int,
) -> Chart | None:
    """Learnt from training windows, the newest first."""
    statistics = statistics_of(reference, columns)
    measure = WindowStatistics(reference, statistics).of
    starts = [_start(window, cutoff, policy.window) for window in windows]
    return learn(
        statistics,
        [measure(window) for window in reversed(windows)],
        starts[::-1],
        rows=max(window.height for window in windows),
        length=policy.window,
        budget=policy.false_alarms_per_year,
        seed=seed,
    )


def _start(window: "pl.DataFrame", cutoff: datetime, length: timedelta) -> datetime:
    """The start of the window, of those counted back from the cutoff, that holds these rows."""
    return WindowGrid(cutoff, length).around(cast(datetime, window[EVENT_TIME].min()))[0]


def _of_columns(frame: "pl.DataFrame", columns: Sequence[tuple[str, Kind]]) -> "pl.DataFrame":
    """The event time and the columns that are there."""
    return frame.select(EVENT_TIME, *(name for name, _ in columns if name in frame.columns))


def sample(frame: "pl.DataFrame", rows: int, seed: int) -> "pl.DataFrame":
    """At most so many rows, drawn by the seed, in their own order."""
    import numpy as np
    import polars as pl

    if frame.height <= rows:
        return frame
    drawn = np.sort(np.random.default_rng(seed).choice(frame.height, rows, replace=False))
    return pl.DataFrame([column.gather(drawn) for column in frame])  # a whole frame of many chunks would be copied before


def training_windows(policy: DriftPolicy, frame: "pl.DataFrame", cutoff: datetime) -> "list[pl.DataFrame]":
    """Whole windows of enough rows, counted back from the cutoff."""
    first = cast(datetime | None, frame[EVENT_TIME].min())
    spans = WindowGrid(cutoff, policy.window).back(policy.reference) if first else []
    windows = [rows_between(frame, start, end) for start, end in spans if first and start >= first]
    return [window for window in windows if window.height >= policy.min_rows]


def rows_between(frame: "pl.DataFrame", start: datetime, end: datetime) -> "pl.DataFrame":
    """The rows of a span, ``end`` exclusive; a view where the rows are in order of time, as training rows are."""
    import polars as pl

    times = frame[EVENT_TIME]
    if not times.is_sorted():
        return frame.filter(pl.col(EVENT_TIME).is_between(start, end, closed="left"))
    first, last = times.search_sorted(pl.Series([start, end]).cast(times.dtype))
    return frame.slice(first, last - first)


def _reachable(threshold: Threshold, largest: float, limit: float, farthest: float) -> Threshold:
    """Where no window could reach it: half way from the largest distance of training time to the largest there is."""
    if threshold.threshold <= farthest or largest >= farthest:
        return threshold
    capped = (largest + farthest) / 2
    return msgspec.structs.replace(threshold, threshold=capped, spread=(capped - threshold.median) / limit)
