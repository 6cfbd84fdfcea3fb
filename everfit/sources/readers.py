"""Readers of rows: which one takes a location, and the rows that it reads, a portion at a time.

A package adds a reader by an entry point of the group ``everfit.sources`` (:mod:`everfit.environment.extensions`). Its name is
the suffix or the scheme that it takes: ``avro`` takes ``rows.avro`` and ``avro://…``.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Protocol

import polars as pl

from everfit.declaration import Source
from everfit.environment.extensions import members
from everfit.errors import SourceError
from everfit.sources.files import read_csv, read_json_lines, read_parquet
from everfit.sources.validation import Row

Portion = Sequence[Row] | pl.DataFrame  # rows as they were read, not yet checked


class Reader(Protocol):
    """Reads the rows of a location."""

    def __call__(self, source: Source, location: str, /) -> Iterator[Portion]:
        """The rows of a location in order, in portions that fit into memory; rows are checked afterwards.

        Args:
            source: whose rows these are, with its columns.
            location: a path, or ``name://…``, as the user wrote it.

        Raises:
            SourceError: with the location and what to do. Any other exception counts as a location that cannot be read.
        """


OWN: Mapping[str, Reader] = {
    "csv": read_csv,
    "csv.gz": read_csv,
    "parquet": read_parquet,
    "jsonl": read_json_lines,
    "ndjson": read_json_lines,
}


def read(source: Source, location: str) -> Iterator[Portion]:
    """The rows of a location, a portion at a time, not yet checked against the source.

    Raises:
        SourceError: when no reader takes the location, or it cannot be read.
    """
    reader = _reader(location)
    try:
        yield from reader(source, location)
    except SourceError:
        raise
    except (Exception, SystemExit) as error:
        kind = "" if isinstance(error, OSError | pl.exceptions.PolarsError) else f"{type(error).__name__}: "
        raise SourceError(f"{location} cannot be read: {kind}{error}") from error


def _reader(location: str) -> Reader:
    readers: Mapping[str, Reader] = members("sources", OWN)
    scheme, separator, _ = location.partition("://")
    suffixes = [suffix.lstrip(".") for suffix in PurePath(location).suffixes]
    names = [scheme] if separator else [".".join(suffixes[-2:]), "".join(suffixes[-1:])]
    for name in names:
        if name in readers:
            return readers[name]
    kind = f"source of rows '{scheme}://'" if separator else f"kind of file {_written(suffixes)!r}"
    raise SourceError(f"{location}: unknown {kind}; give {_choices(readers)}")


def _written(suffixes: Sequence[str]) -> str:
    """The suffix as it stands in a path; both where the file is compressed."""
    return "".join(f".{suffix}" for suffix in suffixes[-2 if suffixes[-1:] == ["gz"] else -1 :])


def _choices(readers: Mapping[str, Reader]) -> str:
    *others, last = [f".{name}" for name in OWN] + [f".{name} or {name}://" for name in readers if name not in OWN]
    return f"{', '.join(others)} or {last}"
