"""The rows of a view by the moment at which they became known, from which offline and online values are computed."""

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw

from everfit.declaration.input_kinds import WORDS, size_of
from everfit.declaration.number_range import EXACT, LARGEST
from everfit.declaration.views import FeatureView, Kind
from everfit.errors import SourceError

MOMENT = nw.Datetime("us", "UTC")
LARGEST_UNITS = 2.0**63
ROUNDING = 1e-12  # relative error of a quotient by the resolution


def shaped(view: FeatureView, source: Any) -> nw.DataFrame[Any]:
    """The rows that the view's function makes of a source's rows, checked for the needed columns and their types.

    Args:
        view: the declared view.
        source: a frame of the source's rows, in any order; it is not changed.

    Raises:
        SourceError: when a column is missing or has a type that does not fit.
    """
    frame = nw.from_native(source, eager_only=True)
    try:
        made: nw.DataFrame[Any] = nw.from_native(view.shape(frame), eager_only=True)
    except nw.exceptions.ColumnNotFoundError as error:
        message = str(error).splitlines()[0]
        raise SourceError(f"view {view.name}: {message}; source {view.source} has {', '.join(frame.columns)}") from error
    except Exception as error:
        raise SourceError(f"view {view.name}: its function fails: {type(error).__name__}: {error}") from error
    needed = [view.key, view.known_at, *view.columns, *([view.tie_break] if view.tie_break else [])]
    missing = [column for column in needed if column not in made.columns]
    if missing:
        raise SourceError(
            f"view {view.name}: no column {', '.join(map(repr, missing))} in the rows that it makes of source {view.source}; "
            f"it has {', '.join(made.columns)}"
        )
    schema = made.schema
    for column, kind in view.kinds.items():
        if fault := type_fault(schema[column], kind):
            raise SourceError(f"view {view.name}: {column!r} is {fault}")
    _require_times(view.known_at, schema[view.known_at])
    return with_vectors(made, view.kinds)


def type_fault(held: nw.dtypes.DType, kind: Kind) -> str:
    """Why a column of this type is not read as that kind, and how it would be; empty where it is."""
    shape = held.shape if isinstance(held, nw.Array) else ()
    fits = {
        "number": held.is_numeric() or held == nw.Boolean,
        "flag": held == nw.Boolean,
        "category": not held.is_nested(),
        "text": not held.is_nested(),
    }
    if held == nw.Unknown or fits.get(kind, len(shape) == 1 and shape[0] == size_of(kind)):
        return ""
    if held.is_nested():
        remedy = f"take it by kind='vector', size={shape[0]}" if len(shape) == 1 else "cast it to nw.Array(nw.Float32, size)"
    else:
        remedy = "take it by kind='flag'" if held == nw.Boolean else "take it by kind='category'"
    return f"{held}, no {kind}; {remedy}"


def with_vectors(frame: nw.DataFrame[Any], kinds: Mapping[str, Kind]) -> nw.DataFrame[Any]:
    """The frame with float32 arrays for its vectors, null where a component is no readable number."""
    import numpy as np

    for column, kind in kinds.items():
        if size := size_of(kind):
            vectors = frame[column].cast(nw.Array(nw.Float32, size))
            readable = (np.abs(vectors.to_numpy()) <= LARGEST).reshape(len(vectors), size).all(axis=1)
            mask = nw.new_series("_readable", readable, nw.Boolean, backend=frame.implementation)
            frame = frame.with_columns(vectors, mask).with_columns(nw.when(nw.col("_readable")).then(nw.col(column)))
            frame = frame.drop("_readable")
    return frame


def known_rows(view: FeatureView, source: Any) -> nw.DataFrame[Any]:
    """One row per (key, known_at), sorted by both; rows without a key or a time are left out.

    Args:
        view: the declared view.
        source: a frame of the source's rows, in any order. Of equal (key, known_at) the largest tie-break counts, and no
            other; where none is declared all of them count, and the last has the values.

    Returns:
        ``key`` (text), ``known_at`` (UTC, microseconds), and for the i-th of ``FeatureView.columns`` ``value_i`` (float64,
        null as :func:`number` reads it, text, a truth value or an array of float32), ``held_i`` (int64, number of rows of that
        moment with a value) and, where windows sum it, ``units_i`` (int64, their sum in units of the resolution): named by
        position, so that no user's name can collide.

    Raises:
        SourceError: as :func:`shaped`.
    """
    made = shaped(view, source).with_row_index("_landed")
    rows = made.select(
        *_values(view, made),
        key=key_text(made, view.key),
        known_at=moment(made, view.known_at),
        _tie=nw.col(view.tie_break or "_landed"),
        _landed=nw.col("_landed"),
    )
    rows = rows.filter(~nw.col("key").is_null() & ~nw.col("known_at").is_null()).sort("key", "known_at", "_tie", "_landed")
    if view.tie_break:
        rows = rows.unique(["key", "known_at"], keep="last", maintain_order=True)
    rows = rows.drop("_tie", "_landed").with_columns(*_counts(view), *_units(view))
    if view.tie_break:
        return rows
    added = [nw.col(name).sum().over("key", "known_at") for name in rows.columns if name.startswith(("held_", "units_"))]
    return rows.with_columns(*added).unique(["key", "known_at"], keep="last", maintain_order=True)


def as_text(view: FeatureView, made: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """Categories, texts, and boolean keys, as the text that they are offline, such as ``true``, whatever their type."""
    texts = {name for name, kind in view.kinds.items() if kind in WORDS and made.schema[name] != nw.String}
    if made.schema[view.key] == nw.Boolean:
        texts.add(view.key)
    return made.with_columns(nw.col(*sorted(texts)).cast(nw.String)) if texts else made


def key_text(frame: nw.DataFrame[Any], column: str) -> nw.Expr:
    """A key column as text; whole numbers without a decimal point, whatever their type."""
    key = nw.col(column)
    if not frame.schema[column].is_float():
        return key.cast(nw.String)
    whole = nw.when((key == key.floor()) & (key.abs() <= EXACT)).then(key).cast(nw.Int64).cast(nw.String)
    return nw.when(whole.is_null()).then(key.cast(nw.String)).otherwise(whole)


def number(frame: nw.DataFrame[Any], column: str, *, largest: float = LARGEST) -> nw.Expr:
    """A column as float64; null for numbers beyond ``largest`` and for whole numbers that a float64 cannot represent."""
    value, kind = nw.col(column), frame.schema[column]
    if kind.is_integer():
        value = nw.when((value <= EXACT) if kind.is_unsigned_integer() else value.is_between(-EXACT, EXACT)).then(value)
    value = value.cast(nw.Float64)
    return nw.when(value.abs() <= largest).then(value)


def moment(frame: nw.DataFrame[Any], column: str) -> nw.Expr:
    """A time column in UTC microseconds; times without a zone are taken as UTC.

    Raises:
        SourceError: when it holds no times.
    """
    _require_times(column, frame.schema[column])
    return nw.col(column).cast(MOMENT)


def too_large(view: FeatureView, column: str, largest: float) -> SourceError:
    """The error where a sum would exceed 64 bits."""
    return SourceError(
        f"view {view.name}: {column!r} reaches {largest}: its sum exceeds 64 bits at resolution {view.resolutions[column]}; "
        "declare a larger resolution"
    )


def _require_times(column: str, kind: nw.dtypes.DType) -> None:
    if kind not in (nw.Datetime, nw.Date):
        raise SourceError(f"{column!r} is {kind}, not a time; parse it first")


def _values(view: FeatureView, made: nw.DataFrame[Any]) -> list[nw.Expr]:
    values: list[nw.Expr] = []
    for i, (column, kind) in enumerate(view.kinds.items()):
        value = number(made, column, largest=largest(view, column)) if kind == "number" else nw.col(column)
        values.append((value.cast(nw.String) if kind in WORDS else value).alias(f"value_{i}"))
    return values


def _counts(view: FeatureView) -> list[nw.Expr]:
    return [(~nw.col(f"value_{i}").is_null()).cast(nw.Int64).alias(f"held_{i}") for i in range(len(view.columns))]


def largest(view: FeatureView, column: str) -> float:
    """The largest magnitude that a view accepts in a column: that of all numbers, or what 64 bits hold at its resolution."""
    resolution = view.resolutions.get(column)
    return LARGEST if resolution is None else min(LARGEST, LARGEST_UNITS * (1 - ROUNDING) * resolution)


def _units(view: FeatureView) -> list[nw.Expr]:
    """Values in whole units of the resolution: rounded to nearest, halves upwards, as online."""
    units = []
    for i, column in enumerate(view.columns):
        if column not in view.resolutions:
            continue
        units.append(
            (nw.col(f"value_{i}") / view.resolutions[column] + 0.5).floor().cast(nw.Int64).fill_null(0).alias(f"units_{i}")
        )
    return units
