"""What a training set holds of the spans that were named broken, shown by asking it.

Features are computed by the product's own views from a source without what was named. The answer to whether a row looked back
on a broken value is given by breaking the same values in another way: a row whose features are then others has seen one.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from benchmarks._triage_cases import Case, breaks
from benchmarks._triage_play import DAY, WEEK, Outcome, seed_of
from benchmarks._triage_worlds import Record, by_day
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.features.offline import compute

AFTER = timedelta(days=8)  # of rows that may look back on the week: the longest trailing window and a day
OTHERWISE = 0.123  # what stands for a broken value, in another way


def broken_rows_trained_on(record: Record, outcomes: Sequence[Outcome]) -> int:
    """Rows of named days in the training sets, and rows that looked back on a named value: of each case's first named week."""
    sources = {source.name for source in record.model.sources}
    first: dict[tuple[str, str], Outcome] = {}
    for outcome in outcomes:
        if outcome.world == record.world and outcome.feed in sources and outcome.right and not outcome.shift:
            first.setdefault((outcome.case, outcome.magnitude), outcome)
    cases = {(case.name, case.magnitude): case for case in breaks(record.world)}
    return sum(_trained_on(record, cases[key], outcome) for key, outcome in first.items())


def _trained_on(record: Record, case: Case, outcome: Outcome) -> int:
    named = {outcome.start + at * DAY: {column for column, _ in names} for at, names in enumerate(outcome.days) if names}
    given = _training_rows(record, case, outcome.start, named, otherwise=False)
    other = _training_rows(record, case, outcome.start, named, otherwise=True)
    of_named_days = given.filter(pl.col(EVENT_TIME).dt.date().is_in([*named])).height
    return of_named_days + int((~_alike(given, other)).sum())


def _training_rows(record: Record, case: Case, start: date, named: dict[date, set[str]], *, otherwise: bool) -> pl.DataFrame:
    """The rows of the week and of what may look back on it, without named days and made without named values."""
    source = record.model.source(case.feed)
    frame, at = record.sources[case.feed], pl.col(source.event_time).dt.date()
    week = by_day(frame.filter(at.is_between(start, start + WEEK * DAY, closed="left")), source.event_time)
    changed = []
    for number in range(WEEK):
        day = start + number * DAY
        rows, columns = case.change(week[day], seed_of(case, day, number)), named.get(day, set())
        numbers = [name for name in columns if name in rows.columns and rows.schema[name].is_numeric()]
        if otherwise:
            rows = rows.with_columns(pl.lit(OTHERWISE).cast(rows.schema[name]).alias(name) for name in numbers)
        rows = (
            rows.clear() if "*" in columns else rows.with_columns(pl.lit(None).cast(rows.schema[n]).alias(n) for n in numbers)
        )
        changed.append(rows)
    kept = frame.filter(~at.is_between(start, start + WEEK * DAY, closed="left") & (at >= start - AFTER))
    sources = {**record.sources, case.feed: pl.concat([kept, *changed]).sort(source.event_time)}
    begin = datetime.combine(start, time(), UTC)
    spine = record.rows.filter(pl.col(EVENT_TIME).is_between(begin, begin + WEEK * DAY + AFTER))
    spine = spine.filter(~pl.col(EVENT_TIME).dt.date().is_in([*named])).drop(
        f for view in record.model.views for f in view.features
    )
    return compute([view for view in record.model.views if view.source == case.feed], sources, spine)


def _alike(first: pl.DataFrame, second: pl.DataFrame) -> pl.Series:
    """Which rows are the same in every column."""
    same = [first[name].eq_missing(second[name]) for name in first.columns]
    return pl.DataFrame({str(at): column for at, column in enumerate(same)}).select(pl.all_horizontal(pl.all())).to_series()
