"""What the training time's own days looked like, and a source's: a day that comes later is judged by it.

Kept with a version beside :class:`everfit.evidence.quality.Profile`. Each figure has its range over the days; the days before
the one that is judged, as far as they were not broken, extend it (:meth:`DayProfile.with_days`). So what moves from day to day
stays usual, and what jumps does not.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Model, Source
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE
from everfit.declaration.views import Features
from everfit.environment.formats import Kept
from everfit.evidence.calibration import sample
from everfit.evidence.day_figures import WORDS, DayFigures, basic_figures
from everfit.evidence.usual.bonds import Bond, bonds_of
from everfit.evidence.usual.clocks import Clock, clocks_of
from everfit.evidence.usual.column_ranges import ColumnRange
from everfit.evidence.usual.outcome_course import OutcomeCourse
from everfit.evidence.usual.pair_ranges import PairRange, pair_ranges
from everfit.evidence.usual.ranked_day import HOUR, RankedDay
from everfit.evidence.usual.relations import Relation, answers_with_labels, held_relations
from everfit.evidence.usual.volume_range import VolumeRange

if TYPE_CHECKING:
    import polars as pl

MOST_DAYS = 180
MOST_ROWS = 2_000  # of a day, for its ranks and, in training time, for its values
OUTCOMES = (LABEL, SCORE)


class DayProfile(Kept, frozen=True, kw_only=True):
    """Ranges of the figures of ``days`` whole days. ``time`` names the column of event times, ``key`` what tells apart whose
    rows follow one another."""

    schema: str
    time: str
    key: list[str]
    days: int
    volume: VolumeRange
    columns: list[ColumnRange]
    pairs: list[PairRange]
    relations: list[Relation]
    bonds: list[Bond]
    clocks: list[Clock]
    outcomes: OutcomeCourse | None = None

    @property
    def features(self) -> Features:
        """Name and kind of the profiled columns."""
        return [(column.column, column.kind) for column in self.columns]

    def only(self, columns: Collection[str]) -> "DayProfile":
        """With these columns alone."""
        return msgspec.structs.replace(
            self,
            columns=[column for column in self.columns if column.column in columns],
            pairs=[pair for pair in self.pairs if {pair.higher, pair.lower} <= {*columns}],
            relations=[relation for relation in self.relations if {relation.column, relation.other} <= {*columns, HOUR}],
            bonds=[bond for bond in self.bonds if bond.column in columns],
            clocks=[clock for clock in self.clocks if clock.column in columns],
        )

    def ranked(self, rows: "pl.DataFrame") -> RankedDay:
        """A day's rows, or a sample of them, as its relations are measured on."""
        numbers = [name for name, kind in self.features if kind == "number" and name in rows.columns]
        return RankedDay(sample(rows, MOST_ROWS, seed=0), numbers, self.time, self.key)

    def figures(self, day: date, rows: "pl.DataFrame", ranked: RankedDay | None = None) -> DayFigures:
        """The figures of a day's rows by which this profile can judge it."""
        basic = basic_figures(day, rows, self.features, self.time)
        ranked = ranked or self.ranked(rows)
        above = {pair.name: round(share, 4) for pair in self.pairs if (share := pair.share(ranked)) is not None}
        return msgspec.structs.replace(basic, relations=_measured(self.relations, ranked), above=above)

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
            pairs=[pair.extended(days) for pair in self.pairs],
            bonds=[bond.extended(days) for bond in self.bonds],
            outcomes=self.outcomes and self.outcomes.extended(days),
        )


def profile_requests(model: Model, frame: "pl.DataFrame") -> DayProfile:
    """Of a model's training rows: EVENT_TIME, the features, and LABEL and SCORE where they are there."""
    outcomes = ((LABEL, model.task.label_kind), (SCORE, "number"))
    answered = [(name, kind) for name, kind in outcomes if name in frame.columns and not frame.schema[name].is_nested()]
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
    figures, volumes, ranked = [], [], []
    numbers = [name for name, kind in columns if kind == "number" and name in frame.columns]
    for day, rows in whole_days(frame, time):
        sampled = sample(rows, MOST_ROWS, seed=0)
        volumes.append(rows.height)
        figures.append(basic_figures(day, sampled, columns, time))
        ranked.append(RankedDay(sampled, numbers, time, key))
    ranges = [ColumnRange.of(name, kind, figures) for name, kind in columns]
    features = [name for name in numbers if name not in OUTCOMES]
    words = [name for name, kind in columns if kind in WORDS and name in frame.columns and name not in OUTCOMES]
    relations, answers = held_relations(ranked, features, words), answers_with_labels(ranked)
    told = [
        msgspec.structs.replace(day, relations=_measured(answers, ranked_day))
        for day, ranked_day in zip(figures, ranked, strict=True)
    ]
    return DayProfile(
        schema=schema,
        time=time,
        key=list(key),
        days=len(figures),
        volume=VolumeRange.of(figures, volumes),
        columns=ranges,
        pairs=pair_ranges(ranked, features),
        relations=[*relations, *answers],
        bonds=bonds_of(relations, [_measured(relations, day) for day in ranked]),
        clocks=clocks_of(ranked, features),
        outcomes=OutcomeCourse.of(told, answers[0].name if answers else ""),
    )


def _measured(relations: Sequence[Relation], day: RankedDay) -> dict[str, float]:
    found = {relation.name: relation.measured(day) for relation in relations}
    return {name: round(value, 4) for name, value in found.items() if value is not None}


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
