"""The landed rows of a source: read completely, by key or by a range of keys, and locked while others are published."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import psycopg

from everfit.declaration import Source
from everfit.store import locks, masks
from everfit.store.frames import decode_rows

Cursor = psycopg.Cursor[Any]

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"

_OF_KEYS = """
    SELECT row::text FROM source_rows
    WHERE source = %(source)s AND (%(column)s::text IS NULL OR row ->> %(column)s = ANY(%(keys)s))
    ORDER BY event_time, identity COLLATE "C"
"""

_BETWEEN_KEYS = """
    SELECT row::text FROM source_rows
    WHERE source = %(source)s
      AND (%(after)s::text IS NULL OR (row ->> %(column)s) COLLATE "C" > %(after)s)
      AND (%(upto)s::text IS NULL OR (row ->> %(column)s) COLLATE "C" <= %(upto)s
           OR (%(after)s::text IS NULL AND row ->> %(column)s IS NULL))
    ORDER BY event_time, identity COLLATE "C"
"""

_COUNT_BY_KEY = """
    SELECT row ->> %(column)s AS key, count(*) FROM source_rows
    WHERE source = %(source)s AND row ->> %(column)s IS NOT NULL
    GROUP BY 1 ORDER BY (row ->> %(column)s) COLLATE "C"
"""


def lock(cursor: Cursor, source: str) -> None:
    """Lock the source for publishing or building until the transaction ends."""
    cursor.execute(_LOCK, [locks.SOURCE + source])


def of_keys(cursor: Cursor, source: Source, column: str | None = None, keys: Sequence[str] = ()) -> pl.DataFrame:
    """All landed rows in event order, without what is masked; where a column is named, only those with one of these texts."""
    bound = {"source": source.name, "column": column, "keys": list(keys)}
    return _seen(cursor, source, _OF_KEYS, bound)


def between_keys(cursor: Cursor, source: Source, column: str, after: str | None, upto: str | None) -> pl.DataFrame:
    """The rows whose text in a column lies in ``(after, upto]`` by code points, in event order; None is no limit."""
    bound = {"source": source.name, "column": column, "after": after, "upto": upto}
    return _seen(cursor, source, _BETWEEN_KEYS, bound)


def _seen(cursor: Cursor, source: Source, query: str, bound: Mapping[str, Any]) -> pl.DataFrame:
    rows = decode_rows(source, [document for (document,) in cursor.execute(query, bound)])
    return masks.masked(source, rows, masks.of_source(cursor, source.name))


def count_by_key(cursor: Cursor, source: str, column: str) -> list[tuple[str, int]]:
    """Number of landed rows by the text in a column, in the order of code points."""
    return cursor.execute(_COUNT_BY_KEY, {"source": source, "column": column}).fetchall()


def count(cursor: Cursor, source: str) -> int:
    """Number of landed rows of a source."""
    row = cursor.execute("SELECT count(*) FROM source_rows WHERE source = %s", [source]).fetchone()
    return int(row[0]) if row else 0
