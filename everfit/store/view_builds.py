"""Build the online state of a view's version from what has landed, in chunks of keys.

Each chunk is a transaction under its source's lock, which writes the chunk's state and the progress together. So building
resumes where it was killed, several may build side by side, and rows are published between the chunks.
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
from everfit.store import online, schemas, source_rows, view_versions
from everfit.store.view_versions import DeclaredViews, ViewVersion

CHUNK_ROWS = 50_000
UNUSED = timedelta(days=7)  # a version that nobody declares or reads is kept so long by the wall clock

Cursor = psycopg.Cursor[Any]
Report = Callable[[ViewVersion], None]

_TRY = sa.text("SELECT pg_try_advisory_lock(hashtextextended('everfit.views/' || :version, 0))")
_WAIT = sa.text("SELECT pg_advisory_lock(hashtextextended('everfit.views/' || :version, 0)) IS NOT NULL")
_RELEASE = sa.text("SELECT pg_advisory_unlock(hashtextextended('everfit.views/' || :version, 0))")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """One version to be built by its function, and the upper keys of its chunks."""

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
        wait: wait where another process builds a version; otherwise it is left to that process.
        report: is given each version after each of its chunks.

    Returns:
        The versions that cannot be built, each with its ``problem``. They hold up no other.
    """
    with engine.begin() as connection:
        for model in models.values():
            schemas.declare(connection, model)
    sources = {one.name: one for model in models.values() for one in model.sources if source in (None, one.name)}
    failed = []
    for name, declared in sources.items():
        views = DeclaredViews(models.values(), name)
        for definition in _unbuilt(engine, declared, views):
            view = views.view(definition)
            assert view is not None
            with _alone(engine, definition, wait=wait) as alone:
                if alone:
                    built = _build_one(engine, _Plan(definition, view, declared), report)
                    failed += [built] if built.problem else []
    return failed


def _unbuilt(engine: sa.Engine, source: Source, views: DeclaredViews) -> list[Definition]:
    """The declared versions that are not built; those that are new are registered, and what nobody uses is dropped."""
    with engine.begin() as connection:
        cursor = view_versions.cursor_of(connection)
        source_rows.hold(cursor, source.name)
        view_versions.register(cursor, list(views.definitions.values()))
        view_versions.mark_used(cursor, list(views.definitions))
        for name in view_versions.drop_unused(cursor, source.name, UNUSED):
            logger.info("view %s: version %s was not used for %s and is gone", *name, UNUSED)
        versions = view_versions.registered(cursor, source.name)
    return [definition for name, definition in views.definitions.items() if versions[name].state != "built"]


def _build_one(engine: sa.Engine, plan: _Plan, report: Report) -> ViewVersion:
    """Build chunk after chunk, until all keys are; a version that cannot be built is left with the reason."""
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
    """The upper keys of chunks that hold about :data:`CHUNK_ROWS` rows each; the last chunk has no limit."""
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
    """Build the keys after the progress up to the next bound; returns how far the version is then."""
    name = plan.definition.name
    with engine.begin() as connection:
        cursor = view_versions.cursor_of(connection)
        source_rows.hold(cursor, plan.source.name)
        view_versions.register(cursor, [plan.definition])  # it may have been dropped meanwhile
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
def _alone(engine: sa.Engine, definition: Definition, *, wait: bool) -> Iterator[bool]:
    """Whether nobody else builds this version; then nobody does until the end. The lock goes with its process."""
    bound = {"version": definition.version}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        alone = bool(connection.execute(_WAIT if wait else _TRY, bound).scalar())
        try:
            yield alone
        finally:
            if alone:
                connection.execute(_RELEASE, bound)
