"""Masks: what of a source's landed rows is quarantined, and so missing to every view, offline and online.

A column's mask is open from a broken day until a later day was judged: what lands meanwhile is suspect, too. Rows that are
suspect as a whole (``*``) are missing on that day alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import polars as pl
import psycopg
import sqlalchemy as sa

from everfit.declaration import Source
from everfit.evidence.checked_days import SOURCE
from everfit.store import frames
from everfit.store.quarantines import ALL_COLUMNS
from everfit.store.view_versions import cursor_of

Cursor = psycopg.Cursor[tuple[object, ...]]

_OF_SOURCE = """
    SELECT DISTINCT q.start, CASE WHEN q."column" = %(rows)s OR q."end" <= coalesce(judged.newest, q."end") THEN q."end" END,
           substr(q."column", length(%(source)s) + 2)
    FROM quarantines q
    LEFT JOIN quarantine_releases r ON r.model = q.model AND r.start = q.start AND r."column" = q."column"
    LEFT JOIN LATERAL (
        SELECT max(day) AS newest FROM day_verdicts WHERE model = q.model AND subject = %(subject)s
    ) judged ON TRUE
    WHERE r.model IS NULL AND starts_with(q."column", %(source)s || '.')
    ORDER BY 1, 3, 2
"""


class Mask(NamedTuple):
    """A column of a source, or ``*`` for its rows, by event time from ``start``; ``end`` is None while the mask is open."""

    start: datetime
    end: datetime | None
    column: str


def of_source(cursor: "psycopg.Cursor[object]", source: str) -> list[Mask]:
    """The masks of a source, of quarantines that nobody released, whichever model they are of."""
    bound = {"source": source, "rows": f"{source}.{ALL_COLUMNS}", "subject": f"{SOURCE}{source}"}
    return [Mask(*row) for row in cursor.execute(_OF_SOURCE, bound).fetchall()]  # type: ignore[misc]


def masked(source: Source, rows: pl.DataFrame, masks: Sequence[Mask]) -> pl.DataFrame:
    """Rows of a source without those, and with nulls for the values, that are masked."""
    at = pl.col(source.event_time)
    for mask in masks:
        within = (at >= mask.start) & (at < mask.end if mask.end else True)
        if mask.column == ALL_COLUMNS:
            rows = rows.filter(~within)
        elif mask.column in rows.columns:
            rows = rows.with_columns(pl.when(~within).then(pl.col(mask.column)))
    return rows


def landed(connection: sa.Connection, source: Source, span: tuple[datetime, datetime]) -> pl.DataFrame:
    """The landed rows with event times in ``[start, end)``, as views see them: without what is masked."""
    return masked(source, frames.landed(connection, source, span), of_source(cursor_of(connection), source.name))
