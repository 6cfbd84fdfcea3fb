"""Publish rows of a source: they land, and the online state of every view that reads them follows, in one transaction.

:mod:`everfit.sources.online_update` describes how the online state follows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.discovery import find_source
from everfit.errors import SourceError
from everfit.sources.landed_rows import land
from everfit.sources.online_update import follow
from everfit.sources.readers import Portion, read
from everfit.sources.validation import CheckedRow, check, frame_of
from everfit.store import masks, source_rows, view_versions
from everfit.store.database import reachable
from everfit.store.frames import decode_rows
from everfit.store.view_builds import build
from everfit.store.view_versions import DeclaredViews, ViewVersion
from everfit.timing import wall_clock

Cursor = psycopg.Cursor[Any]


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
    checked = check(declared, rows, wall_clock())
    return _publish(engine, models, declared, [_Portion(len(rows), checked)]).changed


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
        versions, held = _registered(cursor, source, views), masks.of_source(cursor, source.name)
        if only_if_built and any(versions[name].state != "built" and not versions[name].problem for name in views.definitions):
            return None
        for portion in portions:
            if rows:  # the portions before may have left versions behind
                versions = _registered(cursor, source, views)
            landed = land(cursor, source.name, portion.checked)
            if landed.fresh:
                new = masks.masked(source, frame_of(source, [row.values for row in landed.fresh]), held)
                old = masks.masked(source, decode_rows(source, landed.replaced), held) if landed.replaced else None
                follow(cursor, views, versions, source, new, old)
            rows += portion.rows
            changed += len(landed.fresh) - landed.again
    return Published(rows, changed)


def _registered(cursor: Cursor, source: Source, views: DeclaredViews) -> dict[tuple[str, str], ViewVersion]:
    """All versions over the source, the declared ones among them."""
    versions = view_versions.registered(cursor, source.name)
    missing = [definition for name, definition in views.definitions.items() if name not in versions]
    if missing:
        view_versions.register(cursor, missing)
        versions = view_versions.registered(cursor, source.name)
    return versions
