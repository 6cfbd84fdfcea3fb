"""The online state of views: running rows by version and key, as of any moment."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import psycopg

from everfit.declaration.values import Value
from everfit.features.corrections import Corrected
from everfit.features.running_sums import RunningRow

ALWAYS = datetime.max.replace(tzinfo=UTC)

# The newest row known at each requested moment: one backward step in the primary key's index each.
AS_OF = """
    SELECT f.known_at, f."values"::text, f.sums, f.counts, f.rows
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) WITH ORDINALITY AS state_key(view, version, key, at, n)
    LEFT JOIN LATERAL (
        SELECT known_at, "values", sums, counts, rows FROM online_features
        WHERE view = state_key.view AND version = state_key.version AND key = state_key.key AND known_at <= state_key.at
        ORDER BY known_at DESC LIMIT 1
    ) f ON TRUE
    ORDER BY state_key.n
"""

# The same for serving, which also needs to know whether the version reflects all landed rows, and what of them is masked.
AS_SERVED = """
    SELECT f.known_at, f."values"::text, f.sums, f.counts, coalesce(v.state = 'built', false), v.masks::text
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) WITH ORDINALITY AS state_key(view, version, key, at, n)
    LEFT JOIN view_versions v ON v.view = state_key.view AND v.version = state_key.version
    LEFT JOIN LATERAL (
        SELECT known_at, "values", sums, counts FROM online_features
        WHERE view = state_key.view AND version = state_key.version AND key = state_key.key AND known_at <= state_key.at
        ORDER BY known_at DESC LIMIT 1
    ) f ON TRUE
    ORDER BY state_key.n
"""

# The rows are passed as one JSON document, which the driver writes at once.
_INSERT = """
    INSERT INTO online_features (view, version, key, known_at, "values", sums, counts, rows)
    SELECT * FROM json_to_recordset(%s::json) AS new(
        view text, version text, key text, known_at timestamptz, "values" jsonb, sums bigint[], counts bigint[], rows int
    )
"""

_DELETE = """
    DELETE FROM online_features f
    USING unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS stale(view, version, key, since)
    WHERE f.view = stale.view AND f.version = stale.version AND f.key = stale.key AND f.known_at >= stale.since
"""

_DELETE_AT = """
    DELETE FROM online_features f
    USING unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS gone(view, version, key, at)
    WHERE f.view = gone.view AND f.version = gone.version AND f.key = gone.key AND f.known_at = gone.at
"""

# The rows of each span are found by the index; without OFFSET 0 the planner would compare every row with every span.
_SHIFT = """
    UPDATE online_features f
    SET sums = (SELECT array_agg(old + more ORDER BY n) FROM unnest(f.sums, shifted.sums) WITH ORDINALITY AS s(old, more, n)),
        counts = (
            SELECT array_agg(old + more ORDER BY n) FROM unnest(f.counts, shifted.counts) WITH ORDINALITY AS c(old, more, n)
        )
    FROM (
        SELECT later.place, span.sums, span.counts
        FROM json_to_recordset(%(spans)s::json)
            AS span(key text, after timestamptz, before timestamptz, sums bigint[], counts bigint[])
        CROSS JOIN LATERAL (
            SELECT ctid AS place FROM online_features
            WHERE view = %(view)s AND version = %(version)s AND key = span.key
              AND known_at > span.after AND known_at < coalesce(span.before, 'infinity') OFFSET 0
        ) AS later
    ) AS shifted
    WHERE f.ctid = shifted.place
"""

_DELETE_KEYS = """
    DELETE FROM online_features
    WHERE view = %(view)s AND version = %(version)s
      AND (%(after)s::text IS NULL OR key COLLATE "C" > %(after)s) AND (%(upto)s::text IS NULL OR key COLLATE "C" <= %(upto)s)
"""

_VALUES = msgspec.json.Decoder(tuple[Value, ...])


class StateKey(NamedTuple):
    """A key of a view's version and a moment: what is looked up in the online state."""

    view: str
    version: str
    key: str
    at: datetime


def bind(state_keys: Sequence[StateKey]) -> tuple[list[Any], ...]:
    """The arrays that :data:`AS_OF` and :data:`AS_SERVED` take, an entry per state key."""
    return tuple([state_key[i] for state_key in state_keys] for i in range(4))


def row_of(state_key: StateKey, row: tuple[Any, ...]) -> RunningRow | None:
    """The running row in a result of :data:`AS_SERVED`; None where nothing was known."""
    known_at, values, sums, counts = row[:4]
    return None if known_at is None else RunningRow(state_key.key, known_at, _VALUES.decode(values), tuple(sums), tuple(counts))


def as_of(cursor: psycopg.Cursor[Any], state_keys: Sequence[StateKey]) -> list[RunningRow | None]:
    """The newest running row known at each moment, that moment included, in the order of the state keys."""
    results = zip(state_keys, cursor.execute(AS_OF, bind(state_keys)).fetchall(), strict=True)
    rows = ((row_of(state_key, row), row[4]) for state_key, row in results)
    return [row and replace(row, rows=several) for row, several in rows]


def insert(cursor: psycopg.Cursor[Any], rows: Iterable[tuple[str, str, RunningRow]]) -> None:
    """Add running rows, each with its view and the view's version."""
    new = [
        {
            "view": view,
            "version": version,
            "key": row.key,
            "known_at": row.known_at,
            "values": row.values,
            "sums": row.sums,
            "counts": row.counts,
            "rows": row.rows,
        }
        for view, version, row in rows
    ]
    if new:
        cursor.execute(_INSERT, [msgspec.json.encode(new).decode()])


def delete_since(cursor: psycopg.Cursor[Any], stale: Sequence[StateKey]) -> None:
    """Remove the rows of these keys that were known at or after their moments."""
    cursor.execute(_DELETE, bind(stale))


def apply(cursor: psycopg.Cursor[Any], view: str, version: str, changes: Sequence[Corrected]) -> None:
    """Remove, shift and add rows of a version.

    Raises:
        psycopg.errors.NumericValueOutOfRange: when a sum exceeds 64 bits; nothing is changed then.
    """
    shifts = [shift for change in changes for shift in change.shifts]
    with cursor.connection.transaction():
        cursor.execute(_DELETE_AT, bind([StateKey(view, version, key, at) for change in changes for key, at in change.gone]))
        if shifts:
            spans = msgspec.json.encode([shift._asdict() for shift in shifts]).decode()
            cursor.execute(_SHIFT, {"view": view, "version": version, "spans": spans})
        insert(cursor, ((view, version, row) for change in changes for row in change.rows))


def delete_keys(cursor: psycopg.Cursor[Any], view: str, version: str, after: str | None, upto: str | None) -> None:
    """Remove the rows of a version's keys in ``(after, upto]``, in the order of code points; None is no limit."""
    cursor.execute(_DELETE_KEYS, {"view": view, "version": version, "after": after, "upto": upto})
