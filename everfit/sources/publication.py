"""Publish rows of a source: they land, and the online state of every view that reads them follows, in one transaction.

How the online state follows says :mod:`everfit.store.view_updates`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

import msgspec
import polars as pl
import psycopg
import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.discovery import find_source
from everfit.errors import SourceError
from everfit.features.keys import keeps_keys
from everfit.features.running_sums import RunningRow, known_values
from everfit.sources.validation import Offered, Row, check, frame_of
from everfit.store import source_rows, view_versions
from everfit.store.database import reachable
from everfit.store.frames import decode_rows
from everfit.store.online import ALWAYS, Asked, as_of, insert
from everfit.store.view_builds import build
from everfit.store.view_updates import Change, running_rows
from everfit.store.view_versions import DeclaredViews, ViewVersion
from everfit.timing import wall_clock

Cursor = psycopg.Cursor[Any]

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


def publish(engine: sa.Engine, models: Mapping[str, Model], source: str, rows: Sequence[Row] | pl.DataFrame) -> int:
    """Land rows of a source and bring the online state up to date; when it returns, serving reads them.

    Versions of views that were declared after rows had landed are built first, unless another process is at it.

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
    views = DeclaredViews(models.values(), source)
    with reachable(engine):
        fresh = _publish(engine, declared, views, offered, only_if_built=True)
        if fresh is None:
            build(engine, models, source)
            fresh = _publish(engine, declared, views, offered)
    assert fresh is not None
    return fresh


def _publish(
    engine: sa.Engine, source: Source, views: DeclaredViews, offered: Sequence[Offered], *, only_if_built: bool = False
) -> int | None:
    """Land and follow in one transaction; None, and nothing is written, where a declared version is to be built first."""
    with engine.begin() as connection:
        cursor = view_versions.cursor_of(connection)
        source_rows.hold(cursor, source.name)
        versions = _registered(cursor, source, views)
        if only_if_built and any(versions[name].state != "built" and not versions[name].problem for name in views.definitions):
            return None
        fresh, replaced = _land(cursor, source.name, offered)
        if fresh:
            new = frame_of(source, [one.row for one in fresh])
            _follow(cursor, views, versions, source, new, decode_rows(source, replaced) if replaced else None)
    return len(fresh)


def _registered(cursor: Cursor, source: Source, views: DeclaredViews) -> dict[tuple[str, str], ViewVersion]:
    """All versions over the source, the declared ones among them."""
    versions = view_versions.registered(cursor, source.name)
    missing = [definition for name, definition in views.definitions.items() if name not in versions]
    if missing:
        view_versions.register(cursor, missing)
        versions = view_versions.registered(cursor, source.name)
    return versions


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


def _follow(
    cursor: Cursor,
    views: DeclaredViews,
    versions: Mapping[tuple[str, str], ViewVersion],
    source: Source,
    new: pl.DataFrame,
    old: pl.DataFrame | None,
) -> None:
    """Bring every version over the source up to date; one that cannot be, and is not declared here, is left behind."""
    changes = []
    for name, version in versions.items():
        try:
            change = _change(cursor, views, version, new, old)
        except SourceError as error:
            if name in views.definitions:
                raise
            view_versions.leave_behind(cursor, version.definition, str(error))
            continue
        changes += [change] if change else []
    asked = [Asked(*change.version.name, key, ALWAYS) for change in changes for key in change.since()]
    newest = {one[:3]: row for one, row in zip(asked, as_of(cursor, asked), strict=True)}
    added: list[tuple[str, str, RunningRow]] = []
    for change in changes:
        last = {key: newest[*change.version.name, key] for key in change.since()}
        try:
            rows = running_rows(cursor, change, source, last)
        except SourceError as error:
            if change.version.name in views.definitions:
                raise
            view_versions.leave_behind(cursor, change.version.definition, str(error))
            continue
        added += [(*change.version.name, row) for row in rows]
    insert(cursor, added)


def _change(
    cursor: Cursor, views: DeclaredViews, version: ViewVersion, new: pl.DataFrame, old: pl.DataFrame | None
) -> Change | None:
    """What the rows change in the keys of a version that publications follow; None where there are none."""
    definition, view = version.definition, views.view(version.definition)
    if view is None:
        view_versions.leave_behind(cursor, definition)
        return None
    known, replaced = known_values(view, new, offered=True), {} if old is None else known_values(view, old)
    if definition.keyed_by_column and not version.own_keys:
        rows = new if old is None else pl.concat([new, old])
        if not keeps_keys(view, rows):
            view_versions.mark_own_keys(cursor, definition)
            version = replace(version, own_keys=True, progress=None)
    followed = ({one: held for one, held in made.items() if version.follows(one[0])} for made in (known, replaced))
    change = Change(version, view, *followed)
    return change if change.known or change.replaced else None
