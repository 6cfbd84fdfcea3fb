"""What the training time's own days looked like, and a source's: a day that comes later is judged by it.

Kept with a version beside :class:`everfit.evidence.quality.Profile`. Each figure has its range over the days; the days before
the one that is judged, as far as they were not broken, extend it (:meth:`DayProfile.with_days`). So what moves from day to day
stays usual, and what jumps does not.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Model, Source
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE
from everfit.declaration.views import Features
from everfit.environment.formats import Kept
from everfit.evidence.calibration import sample
from everfit.evidence.column_ranges import ColumnRange
from everfit.evidence.day_figures import DayFigures, basic_figures
from everfit.evidence.volume_range import VolumeRange

if TYPE_CHECKING:
    import polars as pl

MOST_DAYS = 180
MOST_ROWS = 5_000  # of a day, for what is measured on its values


class DayProfile(Kept, frozen=True, kw_only=True):
    """Ranges of the figures of ``days`` whole days. ``time`` names the column of event times, ``key`` what tells apart whose
    rows follow one another."""

    schema: str
    time: str
    key: list[str]
    days: int
    volume: VolumeRange
    columns: list[ColumnRange]

    @property
    def features(self) -> Features:
        """Name and kind of the profiled columns."""
        return [(column.column, column.kind) for column in self.columns]

    def figures(self, day: date, rows: "pl.DataFrame") -> DayFigures:
        """The figures of a day's rows by which this profile can judge it."""
        return basic_figures(day, rows, self.features, self.time)

    def with_days(self, days: Sequence[DayFigures]) -> "DayProfile":
        """With further days that were not broken, the newest last."""
        days = [figures for figures in days if figures.rows]
        if not days:
            return self
        return msgspec.structs.replace(
            self,
            days=self.days + len(days),
            volume=self.volume.extended(days),
            columns=[column.extended(days) for column in self.columns],
        )


def profile_requests(model: Model, frame: "pl.DataFrame") -> DayProfile:
    """Of a model's training rows: EVENT_TIME, the features, and LABEL and SCORE where they are there."""
    answered = [(name, kind) for name, kind in ((LABEL, model.task.label_kind), (SCORE, "number")) if name in frame.columns]
    key = [model.entity] if model.entity in frame.columns else []
    return profile_days([*model.features, *answered], frame, time=EVENT_TIME, key=key, schema=model.schema_id)


def profile_source(source: Source, frame: "pl.DataFrame") -> DayProfile:
    """Of a source's rows, such as those from before go-live."""
    columns = [(column.name, column.input_kind) for column in source.columns if column.kind != "time"]
    return profile_days(columns, frame, time=source.event_time, key=source_key(source), schema=source.name)


def source_key(source: Source) -> list[str]:
    """The columns by which a source's rows belong together over time: the categories of its identity."""
    return [column.name for column in source.columns if column.name in source.identity and column.kind == "category"]


def profile_days(
    columns: Features, frame: "pl.DataFrame", *, time: str, key: Sequence[str] = (), schema: str = ""
) -> DayProfile:
    """Profile the newest :data:`MOST_DAYS` days of rows but for the first and the last day, which may be cut.

    Args:
        columns: name and kind of the columns to judge.
        frame: the rows, with their times and these columns.
        time: the column of event times, UTC.
        key: columns that tell apart whose rows follow one another.
        schema: what the rows are of, for messages and for the rows' own schema.
    """
    figures, volumes = [], []
    for day, rows in whole_days(frame, time):
        volumes.append(rows.height)
        figures.append(basic_figures(day, sample(rows, MOST_ROWS, seed=0), columns, time))
    return DayProfile(
        schema=schema,
        time=time,
        key=list(key),
        days=len(figures),
        volume=VolumeRange.of(figures, volumes),
        columns=[ColumnRange.of(name, kind, figures) for name, kind in columns],
    )


def whole_days(frame: "pl.DataFrame", time: str) -> "Iterator[tuple[date, pl.DataFrame]]":
    """The days of rows in order of time, without the first and the last; a day without rows is one, too."""
    import polars as pl

    if frame.is_empty():
        return
    ordered = frame.sort(time).with_columns(_day=pl.col(time).dt.date())
    parts = {key[0]: rows.drop("_day") for key, rows in ordered.partition_by("_day", as_dict=True).items()}
    first, last = min(parts), max(parts)
    assert isinstance(first, date)
    assert isinstance(last, date)
    none = ordered.drop("_day").clear()
    for offset in range(max(1, (last - first).days - MOST_DAYS), (last - first).days):
        yield first + timedelta(days=offset), parts.get(first + timedelta(days=offset), none)
