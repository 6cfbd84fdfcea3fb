"""Rows of a source from a file: CSV, Parquet or JSON lines."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from everfit.declaration import Source
from everfit.errors import SourceError
from everfit.sources.validation import Row

READABLE = ".csv, .csv.gz, .parquet, .jsonl or .ndjson"

_TEXT = (".csv", ".csv.gz")
_LINES = (".jsonl", ".ndjson")
_READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    **dict.fromkeys(_TEXT, lambda path: pl.read_csv(path, infer_schema=False)),
    ".parquet": pl.read_parquet,
}


def read_rows(source: Source, path: Path) -> Sequence[Row] | pl.DataFrame:
    """The rows that a file holds, not yet checked against the source.

    Raises:
        SourceError: when the file is missing, cannot be read, is of an unknown kind, or holds no row and other columns.
    """
    kind = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    if kind in _LINES:
        return _from_lines(path)
    if kind not in _READERS:
        raise SourceError(f"{path}: unknown kind of file {kind!r}; give {READABLE}")
    try:
        frame = _READERS[kind](path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    names = [column.name for column in source.columns]
    if frame.is_empty() and set(frame.columns) != set(names):
        held = ", ".join(map(repr, frame.columns[:5])) or "no column"
        raise SourceError(f"{path} holds no row, and {held} where source {source.name} has {', '.join(names)}")
    return _from_text(source, frame) if kind in _TEXT else frame


def _from_lines(path: Path) -> list[dict[str, Any]]:
    """JSON lines, each as it stands: a value of another type in one row makes none of the others another."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    return [_object(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: line {number} is no JSON object ({error})") from error


def _from_text(source: Source, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """CSV knows text only: declared numbers are read as such; what is none stays text, and is told when it is checked."""
    numbers = {column.name for column in source.columns if column.kind == "number"}
    return [
        {name: _number(text) if name in numbers else text for name, text in row.items()} for row in frame.iter_rows(named=True)
    ]


def _number(text: str | None) -> float | str | None:
    """A whole number exactly, another as a float; what is none stays text."""
    for read in (int, float):
        try:
            return None if text is None else read(text)
        except ValueError:
            continue
    return text
