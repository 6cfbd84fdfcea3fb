"""Features of one moment from rows with running sums, which the online store keeps and serving reads."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import add, itemgetter
from typing import Any, NamedTuple

from everfit.declaration.input_kinds import WORDS
from everfit.declaration.number_range import EXACT, readable
from everfit.declaration.values import Value
from everfit.declaration.views import FeatureView, Kind, Latest, Windowed
from everfit.errors import SourceError
from everfit.features.point_in_time import LARGEST_UNITS, as_text, shaped, too_large
from everfit.features.value_limits import fits, limits_of, require_readable


class Moment(NamedTuple):
    """What became known of a key at one moment; tuples are in the order of ``FeatureView.columns``.

    ``values`` are those of the last row that counts; ``units`` and ``counts`` what all rows that count add; ``rows`` is the
    number of rows, including those that do not count.
    """

    values: tuple[Value, ...]
    units: tuple[int, ...]
    counts: tuple[int, ...]
    rows: int = 1


Known = dict[tuple[str, datetime], Moment]  # by (key, known_at)


@dataclass(frozen=True, slots=True)
class RunningRow:
    """What is known of a key from ``known_at`` on; tuples are in the order of ``FeatureView.columns``.

    ``sums`` run over all rows so far in units of the resolution, 0 where no window sums the column; ``counts`` run over its
    non-null values. ``rows`` is the number that became known at that moment; None where an earlier version did not count.
    """

    key: str
    known_at: datetime
    values: tuple[Value, ...]
    sums: tuple[int, ...]
    counts: tuple[int, ...]
    rows: int | None = 1


def extend(view: FeatureView, known: Known, before: Mapping[str, RunningRow]) -> list[RunningRow]:
    """The running rows that follow from new values, all of them known after ``before``.

    Args:
        view: the declared view.
        known: the result of :func:`known_values` for new rows.
        before: the newest running row of each key, where it has one.

    Raises:
        SourceError: when a sum exceeds 64 bits.
    """
    newest = dict(before)
    extended = []
    nothing = (0,) * len(view.columns)
    for (key, known_at), new in known.items():
        last = newest.get(key)
        sums, counts = (last.sums, last.counts) if last else (nothing, nothing)
        sums = tuple(map(add, sums, new.units))
        if max(map(abs, sums)) >= LARGEST_UNITS:
            raise _leaves(view, sums)
        newest[key] = RunningRow(key, known_at, new.values, sums, tuple(map(add, counts, new.counts)), new.rows)
        extended.append(newest[key])
    return extended


def _leaves(view: FeatureView, sums: Sequence[int]) -> SourceError:
    column, units = max(zip(view.columns, sums, strict=True), key=lambda pair: abs(pair[1]))
    return too_large(view, column, units * view.resolutions[column])


def known_values(view: FeatureView, source: Any, *, offered: bool = False) -> Known:
    """What a view takes of a source's rows, as :func:`~everfit.features.point_in_time.known_rows` has it, by key and moment.

    In plain Python: usually it is one row, for which data frames take milliseconds.

    Args:
        view: the declared view.
        source: a frame of rows of its source.
        offered: whether the rows are about to land. Then a value that could not be read later is refused; in rows that have
            landed it is null.

    Raises:
        SourceError: when a column is missing or has a type that does not fit, or an offered value cannot be taken.
    """
    made = as_text(view, shaped(view, source))
    taken = [view.key, view.known_at, view.tie_break or view.known_at, *view.columns]
    positions = itemgetter(*(made.columns.index(column) for column in taken))
    read = _reader(view)
    rows = []
    for key, known_at, tie, *values in map(positions, made.rows()):
        if key is not None and known_at is not None:
            if offered:
                require_readable(view, key, values)
            rows.append(((key_of(key), _moment(known_at)), _rank(tie), read(values)))
    known: Known = {}
    for identity, _, new in sorted(rows, key=itemgetter(0, 1)):
        earlier = known.get(identity)
        known[identity] = new if earlier is None else _together(earlier, new, only_last=view.tie_break is not None)
    return known


def _rank(tie: Any) -> tuple[int, Any]:
    """The rank of a tie-break, as data frames sort: null below all others, NaN above them."""
    if tie is None:
        return 0, 0
    return (2, 0) if isinstance(tie, float) and math.isnan(tie) else (1, tie)


def _moment(known_at: date) -> datetime:
    """A time, read as :func:`everfit.features.point_in_time.moment` reads it."""
    at = known_at if isinstance(known_at, datetime) else datetime.combine(known_at, time())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _reader(view: FeatureView) -> Callable[[Sequence[Any]], Moment]:
    """A function that reads one row's values, in the order of ``FeatureView.columns``."""
    limits, kinds = limits_of(view), [*view.kinds.values()]
    summed = [(i, view.resolutions[column]) for i, column in enumerate(view.columns) if column in view.resolutions]
    nothing = [0] * len(limits)

    def read(values: Sequence[Any]) -> Moment:
        taken = tuple(_value(*each) for each in zip(values, kinds, limits, strict=True))
        units = nothing.copy()
        for i, resolution in summed:
            units[i] = _units(taken[i], resolution)
        return Moment(taken, tuple(units), tuple([int(value is not None) for value in taken]))

    return read


def _together(earlier: Moment, new: Moment, *, only_last: bool) -> Moment:
    """Two values of the same key and moment combined: the later has the values; it counts alone, or both count."""
    rows = earlier.rows + new.rows
    if only_last:
        return new._replace(rows=rows)
    return Moment(new.values, tuple(map(add, earlier.units, new.units)), tuple(map(add, earlier.counts, new.counts)), rows)


def _value(value: Any, kind: Kind, limit: float | None) -> Value:
    """A value as the view reads it; null for a number that cannot be read."""
    if value is None:
        return None
    if limit is not None:
        return float(value) if fits(value, limit) else None
    return str(value) if kind in WORDS else bool(value) if kind == "flag" else list(value)


def _units(value: Any, resolution: float) -> int:
    """A value in whole units of the resolution: rounded to nearest, halves upwards, as offline; 0 for null."""
    return 0 if value is None else math.floor(float(value) / resolution + 0.5)


def answer(
    view: FeatureView, at: datetime, now: RunningRow | None, ago: Mapping[timedelta, RunningRow | None]
) -> dict[str, Value]:
    """The view's features as known at a moment.

    Args:
        view: the declared view.
        at: the moment, UTC.
        now: the newest row of the key known at that moment; None where there is none.
        ago: for each of the view's windows the newest row known by ``at`` less the window.
    """
    features: dict[str, Value] = {}
    for name, feature in view.features.items():
        i = view.columns.index(feature.column)
        if isinstance(feature, Latest):
            value = now.values[i] if now is not None and not expired(view, at, now) else None
        else:
            value = _windowed(feature, i, now, ago[feature.over])
        features[name] = readable(value) if isinstance(value, float) else value
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
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT else str(value)
