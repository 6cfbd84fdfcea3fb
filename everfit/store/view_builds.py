"""Builds the online state of a view's version from the landed rows, in chunks of keys.

Each chunk is a transaction under its source's lock that writes the chunk's state together with the progress. So a killed build
can be resumed, several versions can be built in parallel, and rows can be published between chunks.
"""

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.views import FeatureView
from everfit.errors import SourceError
from everfit.features.definition import Definition
from everfit.features.keys import keeps_keys
from everfit.features.running_sums import extend, known_values
from everfit.store import locks, online, schemas, source_rows, view_versions
from everfit.store.rollback_views import rollback_views
from everfit.store.view_versions import DeclaredViews, ViewVersion

CHUNK_ROWS = 50_000
UNUSED = timedelta(days=7)  # wall clock for which an unused version is kept

Cursor = psycopg.Cursor[Any]
Report = Callable[[ViewVersion], None]

_TRY = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:lock, 0))")
_WAIT = sa.text("SELECT pg_advisory_lock(hashtextextended(:lock, 0)) IS NOT NULL")
_RELEASE = sa.text("SELECT pg_advisory_unlock(hashtextextended(:lock, 0))")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A version to build and its function."""

    definition: Definition
    view: FeatureView
    source: Source
    bounds: Sequence[str] = ()


def build(
    engine: sa.Engine,
    models: Mapping[str, Model],
    source: str | None = None,
    *,
    wait: bool = False,
    report: Report = lambda _: None,
) -> list[ViewVersion]:
    """Register the declared versions of views, and build those that are not built.

    Args:
        engine: of the everfit database.
        models: the declared models by name.
        source: only the views over this source.
        wait: whether to wait where another process builds a version; otherwise it is left to that process.
        report: called with each version after each of its chunks.

    Returns:
        The versions that cannot be built, each with its ``problem``; the others are built all the same.
    """
    with engine.begin() as connection:
        for model in models.values():
            schemas.declare(connection, model)
    sources = {each.name: each for model in models.values() for each in model.sources if source in (None, each.name)}
    failed = []
    for name, declared in sources.items():
        views = DeclaredViews(models.values(), name)
        for definition in _unbuilt(engine, declared, views):
            view = views.view(definition)
            assert view is not None
            with _exclusive(engine, definition, wait=wait) as alone:
                if alone:
                    built = _build_one(engine, _Plan(definition, view, declared), report)
                    failed += [built] if built.problem else []
    return failed


def _unbuilt(engine: sa.Engine, source: Source, views: DeclaredViews) -> list[Definition]:
    """The declared versions that are not built; new ones are registered, and unused ones dropped that no rollback needs."""
    with engine.begin() as connection:
        cursor = view_versions.cursor_of(connection)
        source_rows.lock(cursor, source.name)
        view_versions.register(cursor, list(views.definitions.values()))
        view_versions.mark_used(cursor, [*views.definitions, *rollback_views(connection)])
        for name in view_versions.drop_unused(cursor, source.name, UNUSED):
            logger.info("view %s: version %s was not used for %s and is removed", *name, UNUSED)
        versions = view_versions.registered(cursor, source.name)
    return [definition for name, definition in views.definitions.items() if versions[name].state != "built"]


def _build_one(engine: sa.Engine, plan: _Plan, report: Report) -> ViewVersion:
    """Build chunk by chunk until all keys are built; a version that cannot be built is recorded with the reason."""
    plan = _Plan(plan.definition, plan.view, plan.source, _bounds(engine, plan))
    while True:
        try:
            version = _build_chunk(engine, plan)
        except SourceError as error:
            return _fail(engine, plan, str(error))
        report(version)
        if version.state == "built":
            logger.info("view %s: version %s is built", *version.name)
            return version


def _bounds(engine: sa.Engine, plan: _Plan) -> list[str]:
    """The upper keys of chunks of about :data:`CHUNK_ROWS` rows each; the last chunk has no limit."""
    with engine.begin() as connection:
        cursor = view_versions.cursor_of(connection)
        view_versions.start(cursor, plan.definition, source_rows.count(cursor, plan.source.name))
        counts = source_rows.count_by_key(cursor, plan.source.name, plan.definition.key)
    bounds, rows = [], 0
    for key, count in counts:
        rows += count
        if rows >= CHUNK_ROWS:
            bounds.append(key)
            rows = 0
    return bounds


def _build_chunk(engine: sa.Engine, plan: _Plan) -> ViewVersion:
    """Build the keys between the progress and the next bound; returns the version's new state."""
    name = plan.definition.name
    with engine.begin() as connection:
        cursor = view_versions.cursor_of(connection)
        source_rows.lock(cursor, plan.source.name)
        view_versions.register(cursor, [plan.definition])  # it may have been dropped in the meantime
        version = view_versions.registered(cursor, plan.source.name)[name]
        if version.state != "built":
            _extend_to_bound(cursor, plan, version)
        return view_versions.registered(cursor, plan.source.name)[name]


def _extend_to_bound(cursor: Cursor, plan: _Plan, version: ViewVersion) -> None:
    after, upto = version.progress, None
    if version.own_keys or not plan.definition.keyed_by_column:
        after, rows = None, source_rows.of_keys(cursor, plan.source)
    else:
        upto = next(iter(plan.bounds[bisect_right(plan.bounds, after) if after is not None else 0 :]), None)
        rows = source_rows.between_keys(cursor, plan.source, plan.definition.key, after, upto)
        if not keeps_keys(plan.view, rows):
            view_versions.mark_own_keys(cursor, plan.definition)
            return
    online.delete_keys(cursor, *version.name, after, upto)
    made = extend(plan.view, known_values(plan.view, rows), {})
    online.insert(cursor, ((*version.name, row) for row in made))
    view_versions.advance(cursor, plan.definition, upto, rows.height)


def _fail(engine: sa.Engine, plan: _Plan, problem: str) -> ViewVersion:
    logger.error("view %s: version %s cannot be built: %s", plan.definition.view, plan.definition.version, problem)
    with engine.begin() as connection:
        cursor = view_versions.cursor_of(connection)
        view_versions.fail(cursor, plan.definition, problem)
        return view_versions.registered(cursor, plan.source.name)[plan.definition.name]


@contextmanager
def _exclusive(engine: sa.Engine, definition: Definition, *, wait: bool) -> Iterator[bool]:
    """Whether the lock on building this version was acquired; if so, it is held during the block or until the process ends."""
    bound = {"lock": locks.VIEW + definition.version}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        alone = bool(connection.execute(_WAIT if wait else _TRY, bound).scalar())
        try:
            yield alone
        finally:
            if alone:
                connection.execute(_RELEASE, bound)
