"""Publish rows of a source: they land, and the online state of every view that reads them follows, in one transaction.

:mod:`everfit.store.view_updates` describes how the online state follows.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import polars as pl
import psycopg
import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.discovery import find_source
from everfit.errors import SourceError
from everfit.features.keys import keeps_keys
from everfit.features.running_sums import RunningRow, known_values
from everfit.sources.readers import Portion, read
from everfit.sources.validation import CheckedRow, check, frame_of
from everfit.store import source_rows, view_versions
from everfit.store.database import reachable
from everfit.store.frames import decode_rows
from everfit.store.online import ALWAYS, StateKey, as_of, insert
from everfit.store.view_builds import build
from everfit.store.view_updates import Change, running_rows
from everfit.store.view_versions import DeclaredViews, ViewVersion
from everfit.timing import wall_clock

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

_TOUCH = """
    INSERT INTO source_days (source, day) SELECT %s, day FROM unnest(%s::date[]) AS touched(day)
    ON CONFLICT (source, day) DO UPDATE SET changes = source_days.changes + 1
"""


class Published(NamedTuple):
    """How many rows were published, and how many of them were new or corrected."""

    rows: int
    changed: int


class _Portion(NamedTuple):
    """A portion of a publication: how many rows were read, and the checked ones, each identity once."""

    rows: int
    checked: Sequence[CheckedRow]


def publish(engine: sa.Engine, models: Mapping[str, Model], source: str, rows: Portion) -> int:
    """Land rows of a source and bring the online state up to date; when it returns, serving reads them.

    Versions of views that were declared after rows had landed are built first, unless another process is at it.

    Args:
        engine: of the everfit database.
        models: the declared models by name.
        source: name of a source that they declare.
        rows: one mapping a row, or a frame; every declared column and no other. A row whose identity has landed corrects
            it; an equal row changes nothing.

    Returns:
        How many rows were new or corrected.

    Raises:
        SourceError: when a row does not fit its source or a view; nothing is written then.
        ServiceError: when the database does not answer.
    """
    declared = find_source(models, source)
    portion = _Portion(len(rows), check(declared, rows, wall_clock()))
    return _publish(engine, models, declared, [portion]).changed


def publish_from(engine: sa.Engine, models: Mapping[str, Model], source: str, location: str) -> Published:
    """Publish all rows of a location, or none; as :func:`publish`, but they are read, checked and landed in portions.

    Args:
        engine: of the everfit database.
        models: the declared models by name.
        source: name of a source that they declare.
        location: a file or ``name://…`` that a reader takes (:mod:`everfit.sources.readers`).

    Raises:
        SourceError: when the location cannot be read, or a row does not fit; nothing is written then.
        ServiceError: when the database does not answer.
    """
    declared = find_source(models, source)
    portions = _portions(declared, location)
    return _publish(engine, models, declared, chain([next(portions, _Portion(0, []))], portions))


def _portions(source: Source, location: str) -> Iterator[_Portion]:
    rows = 0
    for portion in read(source, location):
        try:
            checked = check(source, portion, wall_clock(), first=rows + 1)
        except SourceError as error:
            raise SourceError(f"{location}: {error}") from error
        yield _Portion(len(portion), checked)
        rows += len(portion)


def _publish(engine: sa.Engine, models: Mapping[str, Model], source: Source, portions: Iterable[_Portion]) -> Published:
    """Publish what was checked; versions of views that are not built are built first."""
    views = DeclaredViews(models.values(), source.name)
    with reachable(engine):
        published = _land_all(engine, source, views, portions, only_if_built=True)
        if published is None:
            build(engine, models, source.name)
            published = _land_all(engine, source, views, portions)
    assert published is not None
    return published


def _land_all(
    engine: sa.Engine, source: Source, views: DeclaredViews, portions: Iterable[_Portion], *, only_if_built: bool = False
) -> Published | None:
    """Land and follow in one transaction; None, with no portion taken, where a declared version is to be built first."""
    rows = changed = 0
    with engine.begin() as connection:
        cursor = view_versions.cursor_of(connection)
        source_rows.lock(cursor, source.name)
        versions = _registered(cursor, source, views)
        if only_if_built and any(versions[name].state != "built" and not versions[name].problem for name in views.definitions):
            return None
        for portion in portions:
            if rows:  # the portions before may have left versions behind
                versions = _registered(cursor, source, views)
            fresh, replaced, again = _land(cursor, source.name, portion.checked)
            if fresh:
                new = frame_of(source, [row.values for row in fresh])
                old = decode_rows(source, replaced) if replaced else None
                _follow(cursor, views, versions, source, new, old)
            rows += portion.rows
            changed += len(fresh) - again
    return Published(rows, changed)


def _registered(cursor: Cursor, source: Source, views: DeclaredViews) -> dict[tuple[str, str], ViewVersion]:
    """All versions over the source, the declared ones among them."""
    versions = view_versions.registered(cursor, source.name)
    missing = [definition for name, definition in views.definitions.items() if name not in versions]
    if missing:
        view_versions.register(cursor, missing)
        versions = view_versions.registered(cursor, source.name)
    return versions


def _land(cursor: Cursor, source: str, checked: Sequence[CheckedRow]) -> tuple[list[CheckedRow], list[str], int]:
    """Write the rows that are new or differ, and mark the days they touch.

    Returns:
        These rows, the documents they replaced, and how many of those an earlier portion of this transaction had landed.
    """
    landed = cursor.execute(_LANDED, [_document(checked), source]).fetchall()
    same = {identity for identity, _, equal, _, _ in landed if equal}
    fresh = [row for row in checked if row.identity not in same]
    if fresh:
        cursor.execute(_LAND, [source, _document(fresh)])
        moments = [row.event_time for row in fresh] + [at for _, _, equal, at, _ in landed if not equal]
        cursor.execute(_TOUCH, [source, sorted({at.astimezone(UTC).date() for at in moments})])
    again = sum(here for _, _, equal, _, here in landed if not equal)
    if again:
        logger.warning("source %s: %d rows correct earlier rows of this publication; the last counts", source, again)
    return fresh, [document for _, document, equal, _, _ in landed if not equal], again


def _document(checked: Sequence[CheckedRow]) -> str:
    rows = [{"identity": row.identity, "event_time": row.event_time, "document": row.document} for row in checked]
    return msgspec.json.encode(rows).decode()


def _follow(
    cursor: Cursor,
    views: DeclaredViews,
    versions: Mapping[tuple[str, str], ViewVersion],
    source: Source,
    new: pl.DataFrame,
    old: pl.DataFrame | None,
) -> None:
    """Update every version over the source; a version that cannot be updated, and is not declared here, is left behind."""
    changes = []
    for name, version in versions.items():
        try:
            change = _change(cursor, views, version, new, old)
        except SourceError as error:
            if name in views.definitions:
                raise
            view_versions.mark_outdated(cursor, version.definition, str(error))
            continue
        changes += [change] if change else []
    state_keys = [StateKey(*change.version.name, key, ALWAYS) for change in changes for key in change.since()]
    newest = {key[:3]: row for key, row in zip(state_keys, as_of(cursor, state_keys), strict=True)}
    added: list[tuple[str, str, RunningRow]] = []
    for change in changes:
        last = {key: newest[*change.version.name, key] for key in change.since()}
        try:
            rows = running_rows(cursor, change, source, last)
        except SourceError as error:
            if change.version.name in views.definitions:
                raise
            view_versions.mark_outdated(cursor, change.version.definition, str(error))
            continue
        added += [(*change.version.name, row) for row in rows]
    insert(cursor, added)


def _change(
    cursor: Cursor, views: DeclaredViews, version: ViewVersion, new: pl.DataFrame, old: pl.DataFrame | None
) -> Change | None:
    """What the rows change in the keys of a version that publications follow; None where there are none."""
    definition, view = version.definition, views.view(version.definition)
    if view is None:
        view_versions.mark_outdated(cursor, definition)
        return None
    known, replaced = known_values(view, new, offered=True), {} if old is None else known_values(view, old)
    if definition.keyed_by_column and not version.own_keys:
        rows = new if old is None else pl.concat([new, old])
        if not keeps_keys(view, rows):
            view_versions.mark_own_keys(cursor, definition)
            version = replace(version, own_keys=True, progress=None)
    followed = ({key: rows for key, rows in made.items() if version.follows(key[0])} for made in (known, replaced))
    change = Change(version, view, *followed)
    return change if change.known or change.replaced else None
