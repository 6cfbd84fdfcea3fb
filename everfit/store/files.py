"""Rows of a source from a file: CSV, Parquet or JSON lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from everfit.declaration import Source
from everfit.errors import SourceError
from everfit.store.offered import Row

READABLE = ".csv, .csv.gz, .parquet, .jsonl or .ndjson"


def read_rows(source: Source, path: Path) -> Sequence[Row] | pl.DataFrame:
    """The rows that a file holds, not yet checked against the source.

    Raises:
        SourceError: when the file is missing, cannot be read, or is of an unknown kind.
    """
    kind = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    try:
        if kind in (".csv", ".csv.gz"):
            return _from_text(source, pl.read_csv(path, infer_schema=False))
        if kind == ".parquet":
            return pl.read_parquet(path)
        if kind in (".jsonl", ".ndjson"):
            return pl.read_ndjson(path, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    raise SourceError(f"{path}: unknown kind of file {kind!r}; give {READABLE}")


def _from_text(source: Source, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """CSV knows text only: declared numbers are read as such; what is none stays text, and is told when it is checked."""
    numbers = {column.name for column in source.columns if column.kind == "number"}
    return [
        {name: _number(text) if name in numbers else text for name, text in row.items()} for row in frame.iter_rows(named=True)
    ]


def _number(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
