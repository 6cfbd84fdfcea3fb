"""Publish rows of a source: they land, and the online state of every view that reads them follows, in one transaction.

Rows mostly become known in order, and are appended to the running sums. A row that comes out of order, or corrects one that
has landed, makes the later running rows of its key be summed again from what has landed.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import polars as pl
import psycopg
import sqlalchemy as sa

from everfit.catalogue import find_source
from everfit.declaration import Model, Source
from everfit.events import wall_clock
from everfit.features.running import Known, RunningRow, extend, known_values
from everfit.features.views import FeatureView
from everfit.store.database import reachable
from everfit.store.frames import decode_rows
from everfit.store.offered import Offered, Row, check, frame_of
from everfit.store.online import ALWAYS, Asked, as_of, delete_since, insert

Cursor = psycopg.Cursor[Any]

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('everfit.sources/' || %s, 0))"

# The offered rows come as one JSON document, which the driver writes in one piece. Each is looked up by the index (OFFSET 0
# keeps the planner, which cannot know how many there are, from reading the whole table for one).
_LANDED = """
    SELECT s.identity, s.row::text, s.row = offered.document, s.event_time
    FROM json_to_recordset(%s::json) AS offered(identity text, document jsonb)
    CROSS JOIN LATERAL (
        SELECT identity, row, event_time FROM source_rows WHERE source = %s AND identity = offered.identity OFFSET 0
    ) AS s
"""

_LAND = """
    INSERT INTO source_rows (source, identity, event_time, row)
    SELECT %s, identity, event_time, document
    FROM json_to_recordset(%s::json) AS offered(identity text, event_time timestamptz, document jsonb)
    ON CONFLICT (source, identity) DO UPDATE SET event_time = excluded.event_time, row = excluded.row, landed_at = now()
"""

_TOUCH = """
    INSERT INTO source_days (source, day) SELECT %s, day FROM unnest(%s::date[]) AS touched(day)
    ON CONFLICT (source, day) DO UPDATE SET changes = source_days.changes + 1
"""

_LANDED_OF_KEYS = """
    SELECT row::text FROM source_rows
    WHERE source = %(source)s AND (%(column)s::text IS NULL OR row ->> %(column)s = ANY(%(keys)s))
    ORDER BY event_time, identity COLLATE "C"
"""

_LANDED_BEFORE_VIEW = """
    SELECT NOT EXISTS (SELECT FROM online_features WHERE model = %s AND view = %s)
           AND (SELECT count(*) FROM source_rows WHERE source = %s) > %s
"""


class _Change(NamedTuple):
    """What a publication changes in a view: what became known, and what was held before corrected rows replaced it."""

    model: str
    view: FeatureView
    known: Known
    replaced: Known

    def since(self) -> dict[str, datetime]:
        """The earliest moment touched, by key."""
        earliest: dict[str, datetime] = {}
        for key, at in sorted([*self.known, *self.replaced]):
            earliest.setdefault(key, at)
        return earliest


def publish(engine: sa.Engine, models: Mapping[str, Model], source: str, rows: Sequence[Row] | pl.DataFrame) -> int:
    """Land rows of a source and bring the online state up to date; when it returns, serving reads them.

    Args:
        engine: of the everfit database.
        models: the declared models by name.
        source: name of a source that they declare.
        rows: one mapping a row, or a frame; every declared column and no other. A row whose identity has landed corrects
            it; one that is the same changes nothing.

    Returns:
        How many rows were new or corrected.

    Raises:
        SourceError: when a row does not fit its source or a view; nothing is written then.
        ServiceError: when the database does not answer.
    """
    declared = find_source(models, source)
    offered = check(declared, rows, wall_clock())
    with reachable(engine), engine.begin() as connection:
        cursor: Cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
        cursor.execute(_LOCK, [source])
        fresh, replaced = _land(cursor, source, offered)
        if fresh:
            _follow(cursor, models, declared, frame_of(declared, [one.row for one in fresh]), replaced)
    return len(fresh)


def _land(cursor: Cursor, source: str, offered: Sequence[Offered]) -> tuple[list[Offered], list[str]]:
    """Write the rows that are new or differ, and mark the days they touch; returns them, and the documents they replaced."""
    held = cursor.execute(_LANDED, [_document(offered), source]).fetchall()
    same = {identity for identity, _, equal, _ in held if equal}
    fresh = [one for one in offered if one.identity not in same]
    if fresh:
        cursor.execute(_LAND, [source, _document(fresh)])
        moments = [one.event_time for one in fresh] + [at for _, _, equal, at in held if not equal]
        cursor.execute(_TOUCH, [source, sorted({at.astimezone(UTC).date() for at in moments})])
    return fresh, [document for _, document, equal, _ in held if not equal]


def _document(offered: Sequence[Offered]) -> str:
    rows = [{"identity": one.identity, "event_time": one.event_time, "document": one.document} for one in offered]
    return msgspec.json.encode(rows).decode()


def _follow(cursor: Cursor, models: Mapping[str, Model], source: Source, new: pl.DataFrame, replaced: Sequence[str]) -> None:
    """Bring every view that reads the source up to date with its new rows."""
    old = decode_rows(source, replaced) if replaced else None
    changes = [
        _Change(model.name, view, known_values(view, new), {} if old is None else known_values(view, old))
        for model in models.values()
        for view in model.views
        if view.source == source.name
    ]
    asked = [Asked(change.model, change.view.name, key, ALWAYS) for change in changes for key in change.since()]
    newest = {one[:3]: row for one, row in zip(asked, as_of(cursor, asked), strict=True)}
    added: list[tuple[str, str, RunningRow]] = []
    for change in changes:
        last = {key: newest[change.model, change.view.name, key] for key in change.since()}
        rows = _running_rows(cursor, change, source, last, new.height)
        added += [(change.model, change.view.name, row) for row in rows]
    insert(cursor, added)


def _running_rows(
    cursor: Cursor, change: _Change, source: Source, last: Mapping[str, RunningRow | None], fresh_rows: int
) -> list[RunningRow]:
    """What to add to the online state for one view: appended to the last rows, or summed again where order was broken."""
    view = change.view
    if None in last.values() and _landed_before_view(cursor, change, source, fresh_rows):
        return extend(view, known_values(view, _landed(cursor, source)), {})
    since = change.since()
    if change.replaced or any(row is not None and since[key] <= row.known_at for key, row in last.items()):
        return _summed_again(cursor, change, source, since)
    return extend(view, change.known, {key: row for key, row in last.items() if row is not None})


def _landed_before_view(cursor: Cursor, change: _Change, source: Source, fresh_rows: int) -> bool:
    """Whether the view was declared after rows of its source had landed."""
    found = cursor.execute(_LANDED_BEFORE_VIEW, [change.model, change.view.name, source.name, fresh_rows]).fetchone()
    return bool(found and found[0])


def _summed_again(cursor: Cursor, change: _Change, source: Source, since: Mapping[str, datetime]) -> list[RunningRow]:
    """The running rows of the touched keys from the earliest touched moments on; those held are removed."""
    view = change.view
    landed = known_values(view, _landed(cursor, source, view.key, list(since)))
    known = {(key, at): values for (key, at), values in landed.items() if key in since and at >= since[key]}
    touched = [Asked(change.model, view.name, key, at) for key, at in since.items()]
    delete_since(cursor, touched)
    before = as_of(cursor, touched)
    return extend(view, known, {row.key: row for row in before if row is not None})


def _landed(cursor: Cursor, source: Source, key: str | None = None, keys: Sequence[str] = ()) -> pl.DataFrame:
    """All rows of the source that have landed; only those of the keys, where the key is a text column of the source."""
    texts = {column.name for column in source.columns if column.kind == "category"}
    bound = {"source": source.name, "column": key if key in texts else None, "keys": list(keys)}
    return decode_rows(source, [document for (document,) in cursor.execute(_LANDED_OF_KEYS, bound)])
