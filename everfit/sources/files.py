"""Readers of files: CSV, Parquet and JSON lines, each a portion of rows at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from everfit.declaration import Column, Source
from everfit.errors import SourceError
from everfit.sources.validation import Row

PORTION_ROWS = 100_000


def read_csv(source: Source, location: str) -> Iterator[Sequence[Row]]:
    """Rows of a CSV file, compressed by gzip or not. It holds text only, which is read by the kinds of the columns."""
    read = typed(source.columns)
    for frame in _frames(source, location, pl.scan_csv(location, infer_schema=False, glob=False)):
        yield [read(row) for row in frame.iter_rows(named=True)]


def typed(columns: Iterable[Column]) -> Callable[[Row], Row]:
    """What reads a row of text by the kinds of the columns; a text that is none of its column's kind stays as it is."""
    readers = {column.name: _READERS[column.kind] for column in columns if column.kind in _READERS}
    return lambda row: {name: readers[name](text) if name in readers else text for name, text in row.items()}


def read_parquet(source: Source, location: str) -> Iterator[pl.DataFrame]:
    """Rows of a Parquet file, with its own types."""
    return _frames(source, location, pl.scan_parquet(location, glob=False))


def read_json_lines(_: Source, location: str) -> Iterator[Sequence[Row]]:
    """Rows of a file with a JSON object a line. Each keeps its types: those of one row do not change those of another."""
    with Path(location).open(encoding="utf-8", errors="surrogateescape") as lines:
        rows = (_object(location, number, line) for number, line in enumerate(lines, 1) if line.strip())
        while portion := list(islice(rows, PORTION_ROWS)):
            yield portion


def _frames(source: Source, location: str, scan: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The portions of a table in the order of its rows.

    Raises:
        SourceError: when it holds no row, and other columns than the source: it may be anything.
    """
    is_empty = True
    for frame in scan.collect_batches(chunk_size=PORTION_ROWS):
        if not frame.is_empty():
            is_empty = False
            yield frame
    names, columns = [column.name for column in source.columns], scan.collect_schema().names() if is_empty else []
    if is_empty and set(columns) != set(names):
        there = ", ".join(map(repr, columns[:5])) or "no column"
        raise SourceError(f"{location} holds no row, and {there} where source {source.name} has {', '.join(names)}")


def _object(location: str, number: int, line: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line.encode("utf-8", "surrogateescape"), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SourceError(f"{location} cannot be read: line {number} is no JSON object ({error})") from error


def _number(text: str | None) -> float | str | None:
    """A whole number exactly, another as a float; what is none stays text, and is refused when it is checked."""
    for read in (int, float):
        try:
            return None if text is None else read(text)
        except ValueError:
            continue
    return text


def _flag(text: str | None) -> bool | str | None:
    """``true`` and ``false``, in capitals or not."""
    return text if text is None else {"true": True, "false": False}.get(text.lower(), text)


def _vector(text: str | None) -> Any:
    """A JSON array such as ``[0.5, -1]``."""
    try:
        return None if text is None else msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


_READERS = {
    "number": _number,
    "flag": _flag,
    "vector": _vector,
}  # what is none of it stays text, and is refused
