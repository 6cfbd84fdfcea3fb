"""Rows that are published to a source, checked against its declared columns before anything is written."""

import json
import logging
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from everfit.declaration import Integer, Source
from everfit.declaration.doors import naming_fault, reader
from everfit.declaration.values import Reader
from everfit.errors import SourceError
from everfit.timing import format_time

Row = Mapping[str, Any]

logger = logging.getLogger(__name__)

FLOAT32_EXACT = 2**24
MAX_IDENTITY = 2_000  # bytes, all of them ASCII: an index of Postgres takes no row of more than 2,704
AHEAD = timedelta(hours=1)  # by which the clocks of publishers may differ from ours


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row that fits its source.

    ``identity`` is the JSON array of its identity columns' values, ``document`` the row as it is stored, ``values`` by column.
    """

    identity: str
    event_time: datetime
    document: dict[str, Any]
    values: dict[str, Any]


def check(source: Source, rows: Sequence[Row] | pl.DataFrame, now: datetime, first: int = 1) -> list[CheckedRow]:
    """The rows in event order, each identity once: of several the last counts, and where they differ that is logged.

    What is published has happened: a row from after ``now``, the wall clock, is a mistake, and no correction could take it
    back, for its time is mostly part of its identity.

    Raises:
        SourceError: when these are no rows; or at the first row that does not fit, with its number (counted from ``first``),
            column and value.
    """
    if not isinstance(rows, Sequence | pl.DataFrame) or isinstance(rows, str | bytes):
        raise SourceError(f"source {source.name} takes a list of mappings or a polars.DataFrame, not {_typed(rows)}")
    if isinstance(rows, pl.DataFrame):
        _require_no_float32(source, rows, first)
    mappings = rows.iter_rows(named=True) if isinstance(rows, pl.DataFrame) else rows
    named = (*source.identity, source.event_time)
    readers = {column.name: reader(column, "source", named=column.name in named) for column in source.columns}
    latest = now + AHEAD
    checked: dict[str, tuple[int, CheckedRow]] = {}
    corrected: list[tuple[int, int]] = []
    for number, mapping in enumerate(mappings, first):
        row = _checked(source, readers, latest, number, mapping)
        before = checked.get(row.identity)
        if before and before[1].document != row.document:
            corrected.append((before[0], number))
        checked[row.identity] = number, row
    if corrected:
        _log_corrected(source, corrected)
    return sorted((row for _, row in checked.values()), key=lambda row: (row.event_time, row.identity))


def _require_no_float32(source: Source, rows: pl.DataFrame, first: int) -> None:
    """Refuse whole numbers that have gone through a float32: from ±2^24 on it stands for several of them."""
    for column in source.columns:
        if isinstance(column, Integer) and rows.schema.get(column.name) == pl.Float32:
            values = rows[column.name]
            several = (values.abs() >= FLOAT32_EXACT).arg_true()
            if not several.is_empty():
                raise SourceError(
                    f"source {source.name}, row {several[0] + first}, column {column.name!r}: {values[several[0]]} does not "
                    "fit: a float32 from ±2^24 on stands for several whole numbers; hand it over as an integer"
                )


def frame_of(source: Source, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Checked rows as a frame of the source's declared columns and types."""
    schema = {column.name: column.frame_type() for column in source.columns}
    return pl.DataFrame([tuple(row[name] for name in schema) for row in rows], schema=schema, orient="row")


def _checked(source: Source, readers: Mapping[str, Reader], latest: datetime, number: int, row: Row) -> CheckedRow:
    if not isinstance(row, Mapping):
        raise SourceError(f"source {source.name}, row {number}: a row is a mapping of its columns, not {_typed(row)}")
    if row.keys() != readers.keys():
        raise _misnamed(source, number, row)
    values = {}
    for name, read in readers.items():
        try:
            values[name] = read(row[name])
        except ValueError as error:
            raise SourceError(f"source {source.name}, row {number}, column {name!r}: {error}") from error
    if (at := values[source.event_time]) > latest:
        raise SourceError(
            f"source {source.name}, row {number}, column {source.event_time!r}: {format_time(at)} lies in the future; "
            "publish a row when what it describes has happened"
        )
    written = {name: format_time(value) if isinstance(value, datetime) else value for name, value in values.items()}
    identity = json.dumps([written[name] for name in source.identity])
    if len(identity) > MAX_IDENTITY:
        raise SourceError(
            f"source {source.name}, row {number}: its identity has {len(identity)} bytes, of at most {MAX_IDENTITY}"
        )
    return CheckedRow(identity, at, written, values)


def _typed(value: object) -> str:
    """What came in place of rows: its type, and how it begins."""
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.") + f" {reprlib.repr(value)}"


def _log_corrected(source: Source, corrected: Sequence[tuple[int, int]]) -> None:
    first, last = corrected[0]
    logger.warning(
        "source %s: %d rows differ from a later row of this publication with the same %s (first rows %d and %d); "
        "the last counts",
        *(source.name, len(corrected), ", ".join(source.identity), first, last),
    )


def _misnamed(source: Source, number: int, row: Row) -> SourceError:
    names = [column.name for column in source.columns]
    fault = naming_fault(names, row, "column")
    return SourceError(f"source {source.name}, row {number}: {fault}; its columns are {', '.join(names)}")
