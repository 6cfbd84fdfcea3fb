"""Rows of a publication on their way into ``source_rows``: those that are stored already change nothing."""

import logging
from collections.abc import Sequence
from datetime import UTC
from typing import Any, NamedTuple

import msgspec
import psycopg

from everfit.sources.validation import CheckedRow
from everfit.store import source_days

Cursor = psycopg.Cursor[Any]

logger = logging.getLogger(__name__)

# The rows are sent as a single JSON document. Each is looked up by the index: without OFFSET 0 the planner, which does not know
# how many there are, would read the whole table.
_LANDED = """
    SELECT s.identity, s.row::text, s.row = sent.document, s.event_time, s.landed_at = now()
    FROM json_to_recordset(%s::json) AS sent(identity text, document jsonb)
    CROSS JOIN LATERAL (
        SELECT identity, row, event_time, landed_at FROM source_rows WHERE source = %s AND identity = sent.identity OFFSET 0
    ) AS s
"""

_LAND = """
    INSERT INTO source_rows (source, identity, event_time, row)
    SELECT %s, identity, event_time, document
    FROM json_to_recordset(%s::json) AS sent(identity text, event_time timestamptz, document jsonb)
    ON CONFLICT (source, identity) DO UPDATE SET event_time = excluded.event_time, row = excluded.row, landed_at = now()
"""


class Landed(NamedTuple):
    """Rows that were new or differed, the documents that they replaced, and how many of those this transaction had landed."""

    fresh: list[CheckedRow]
    replaced: list[str]
    again: int


def land(cursor: Cursor, source: str, checked: Sequence[CheckedRow]) -> Landed:
    """Write the rows that are new or differ from what is stored, and mark the days that they touch."""
    landed = cursor.execute(_LANDED, [_document(checked), source]).fetchall()
    same = {identity for identity, _, equal, _, _ in landed if equal}
    fresh = [row for row in checked if row.identity not in same]
    if fresh:
        cursor.execute(_LAND, [source, _document(fresh)])
        moments = [row.event_time for row in fresh] + [at for _, _, equal, at, _ in landed if not equal]
        source_days.touch(cursor, source, {at.astimezone(UTC).date() for at in moments})
    again = sum(here for _, _, equal, _, here in landed if not equal)
    if again:
        logger.warning("source %s: %d rows correct earlier rows of this publication; the last counts", source, again)
    return Landed(fresh, [document for _, document, equal, _, _ in landed if not equal], again)


def _document(checked: Sequence[CheckedRow]) -> str:
    rows = [{"identity": row.identity, "event_time": row.event_time, "document": row.document} for row in checked]
    return msgspec.json.encode(rows).decode()
