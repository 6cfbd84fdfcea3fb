"""Rows that the outside world offers to a source, checked against its declared columns before anything is written."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from everfit.declaration import Column, Integer, Number, Source, Time
from everfit.errors import SourceError
from everfit.store.frames import TYPES
from everfit.timing import format_time, parse_time

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Offered:
    """One checked row. ``identity`` is the JSON array of its identity columns' values, ``document`` the row as JSON."""

    identity: str
    event_time: datetime
    document: str
    row: dict[str, Any]


def check(source: Source, rows: Sequence[Row] | pl.DataFrame) -> list[Offered]:
    """The rows in event order, each identity once: of equal ones the last counts.

    Raises:
        SourceError: at the first row that does not fit, with its number (from 1), column and value.
    """
    offered = rows.iter_rows(named=True) if isinstance(rows, pl.DataFrame) else rows
    checked = {one.identity: one for one in (_checked(source, number, row) for number, row in enumerate(offered, 1))}
    return sorted(checked.values(), key=lambda one: (one.event_time, one.identity))


def frame_of(source: Source, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Checked rows as a frame of the source's declared columns and types."""
    schema = {column.name: TYPES[column.kind] for column in source.columns}
    return pl.DataFrame([tuple(row[name] for name in schema) for row in rows], schema=schema, orient="row")


def _checked(source: Source, number: int, row: Row) -> Offered:
    names = [column.name for column in source.columns]
    for what, found in (("unknown", set(row) - set(names)), ("missing", set(names) - set(row))):
        if found:
            told = f"{what} column {', '.join(map(repr, sorted(found)))}"
            raise SourceError(f"source {source.name}, row {number}: {told}; its columns are {', '.join(names)}")
    values = {column.name: _value(source, number, column, row[column.name]) for column in source.columns}
    written = {name: format_time(value) if isinstance(value, datetime) else value for name, value in values.items()}
    identity = json.dumps([written[name] for name in source.identity])
    return Offered(identity, values[source.event_time], json.dumps(written), values)


def _value(source: Source, number: int, column: Column, value: Any) -> Any:
    where = f"source {source.name}, row {number}, column {column.name!r}"
    if value is None:
        if column.nullable and column.name not in (*source.identity, source.event_time):
            return None
        raise SourceError(f"{where}: null, and the column is not nullable")
    try:
        return _read(column, value)
    except ValueError as error:
        raise SourceError(f"{where}: {value!r} does not fit: {error}") from error


def _read(column: Column, value: Any) -> str | int | float | datetime:
    if isinstance(column, Time):
        return parse_time(value)
    if not isinstance(column, (Number, Integer)):
        if not isinstance(value, str) or "\0" in value:
            raise ValueError("a category is text, without NUL")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ValueError("not a finite number")
    if isinstance(column, Integer) and value != int(value):
        raise ValueError("not a whole number")
    if column.between and not column.between[0] <= value <= column.between[1]:
        raise ValueError(f"outside its bounds {column.between[0]} to {column.between[1]}")
    return int(value) if isinstance(column, Integer) else float(value) + 0.0  # Postgres knows no negative zero
