"""Features of one moment from rows that carry running sums: what the online store keeps, and how serving reads it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter
from typing import Any

from everfit.features.known import LARGEST_UNITS, shaped, too_large
from everfit.features.views import FeatureView, Latest, Windowed

Value = float | str | None
Known = dict[tuple[str, datetime], tuple[Value, ...]]  # (key, known_at) to the values of FeatureView.columns


@dataclass(frozen=True, slots=True)
class RunningRow:
    """What was known of a key from ``known_at`` on; tuples are in the order of ``FeatureView.columns``.

    ``sums`` run over all rows so far in units of the resolution, 0 where no window sums the column; ``counts`` run over its
    non-null values.
    """

    key: str
    known_at: datetime
    values: tuple[Value, ...]
    sums: tuple[int, ...]
    counts: tuple[int, ...]


def extend(view: FeatureView, known: Known, before: Mapping[str, RunningRow]) -> list[RunningRow]:
    """The running rows that follow from newly known values, all of them known after ``before``.

    Args:
        view: the declared view.
        known: what :func:`known_values` made of new rows.
        before: the newest running row of each key, where it has one.

    Raises:
        SourceError: when a value is too large for its resolution, or a sum leaves 64 bits.
    """
    newest = dict(before)
    extended = []
    for (key, known_at), values in known.items():
        last = newest.get(key)
        sums, counts = [], []
        for i, (column, value) in enumerate(zip(view.columns, values, strict=True)):
            sums.append(_within(view, column, (last.sums[i] if last else 0) + _units(view, column, value)))
            counts.append((last.counts[i] if last else 0) + (value is not None))
        newest[key] = RunningRow(key, known_at, values, tuple(sums), tuple(counts))
        extended.append(newest[key])
    return extended


def known_values(view: FeatureView, source: Any) -> Known:
    """What a view takes of a source's rows, as :func:`everfit.features.known.known_rows` has it, sorted by key and moment.

    In plain Python, for most often it is one row, which data frames take milliseconds for.

    Raises:
        SourceError: when a column is missing or has a type that does not fit.
    """
    made = shaped(view, source)
    taken = [view.key, view.known_at, view.tie_break or view.known_at, *view.columns]
    positions = itemgetter(*(made.columns.index(column) for column in taken))
    known = []
    for key, known_at, tie, *values in map(positions, made.rows()):
        if key is not None and known_at is not None:
            read = tuple(_value(view, column, value) for column, value in zip(view.columns, values, strict=True))
            known.append(((key_of(key), _moment(known_at)), (tie is not None, tie), read))
    return {identity: read for identity, _, read in sorted(known, key=itemgetter(0, 1))}


def _moment(known_at: date) -> datetime:
    """A time as :func:`everfit.features.known.moment` reads it."""
    at = known_at if isinstance(known_at, datetime) else datetime.combine(known_at, time())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _value(view: FeatureView, column: str, value: Any) -> Value:
    if value is None:
        return None
    if column not in view.numbers:
        return str(value)
    return float(value) if math.isfinite(value) else None


def _units(view: FeatureView, column: str, value: Value) -> int:
    """A value in whole units of the resolution: the nearest, halves upwards, as offline; 0 where nothing sums it."""
    if value is None or column not in view.resolutions:
        return 0
    return math.floor(float(value) / view.resolutions[column] + 0.5)


def _within(view: FeatureView, column: str, units: int) -> int:
    if abs(units) >= LARGEST_UNITS:
        raise too_large(view, column, units * view.resolutions[column])
    return units


def answer(
    view: FeatureView, at: datetime, now: RunningRow | None, ago: Mapping[timedelta, RunningRow | None]
) -> dict[str, Value]:
    """The view's features as known at a moment.

    Args:
        view: the declared view.
        at: the moment, UTC.
        now: the newest row of the key known by then; None where there is none.
        ago: for each of the view's windows the newest row known by ``at`` less the window.
    """
    features: dict[str, Value] = {}
    for name, feature in view.features.items():
        i = view.columns.index(feature.column)
        if isinstance(feature, Latest):
            features[name] = now.values[i] if now is not None and not expired(view, at, now) else None
        else:
            features[name] = _windowed(feature, i, now, ago[feature.over])
    return features


def expired(view: FeatureView, at: datetime, row: RunningRow) -> bool:
    """Whether the row is older than the view's time to live."""
    return view.ttl is not None and at - row.known_at > view.ttl


def _windowed(feature: Windowed, i: int, now: RunningRow | None, ago: RunningRow | None) -> Value:
    """The statistic over ``(at - over, at]``; the same float operations as offline, so that the numbers are the same."""
    count = float((now.counts[i] if now else 0) - (ago.counts[i] if ago else 0))
    if feature.statistic == "count":
        return count
    total = float((now.sums[i] if now else 0) - (ago.sums[i] if ago else 0)) * feature.resolution
    if feature.statistic == "sum":
        return total
    return total / count if count > 0 else None


def key_of(value: object) -> str:
    """A request's key as the online store writes it: whole numbers without a decimal point."""
    return str(int(value)) if isinstance(value, float) else str(value)
