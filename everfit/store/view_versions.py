"""The registered versions of views, and the state of each.

``building``   it is being built from the landed rows; publications update it for the keys up to ``progress``
``built``      it reflects all landed rows, and every publication updates it
``stale``      it was built; then rows were published by a process without its function. It is built again, and keeps its
               state until then
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import msgspec
import psycopg
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.views import FeatureView
from everfit.features.definition import Definition, Shape, define
from everfit.features.masked_features import MaskedColumns

Cursor = psycopg.Cursor[Any]
State = Literal["building", "built", "stale"]

_OF_SOURCE = """
    SELECT view, version, definition::text, state, progress, own_keys, rows_read, rows_landed, problem FROM view_versions
    WHERE %(source)s::text IS NULL OR source = %(source)s ORDER BY view, registered_at, version
"""

# Without landed rows there is nothing to build.
_REGISTER = """
    INSERT INTO view_versions (view, version, source, definition, state, built_at)
    SELECT %(view)s, %(version)s, %(source)s, %(definition)s, CASE WHEN landed THEN 'building' ELSE 'built' END,
           CASE WHEN landed THEN NULL ELSE now() END
    FROM (SELECT EXISTS (SELECT FROM source_rows WHERE source = %(source)s) AS landed) AS rows
    ON CONFLICT DO NOTHING
"""

_LEFT_BEHIND = """
    UPDATE view_versions SET state = CASE state WHEN 'built' THEN 'stale' ELSE state END, progress = NULL, rows_read = 0,
        problem = coalesce(%(problem)s, problem)
    WHERE view = %(view)s AND version = %(version)s AND (state = 'built' OR progress IS NOT NULL)
"""

_OWN_KEYS = """
    UPDATE view_versions SET own_keys = true, progress = NULL, rows_read = 0 WHERE view = %(view)s AND version = %(version)s
"""

_START = """
    UPDATE view_versions SET rows_landed = %(rows)s, problem = NULL WHERE view = %(view)s AND version = %(version)s
"""

_ADVANCE = """
    UPDATE view_versions
    SET progress = %(progress)s, rows_read = rows_read + %(rows)s, problem = NULL,
        state = CASE WHEN %(progress)s::text IS NULL THEN 'built' ELSE state END,
        built_at = CASE WHEN %(progress)s::text IS NULL THEN now() END
    WHERE view = %(view)s AND version = %(version)s
"""

_USED = """
    UPDATE view_versions SET used_at = now() FROM unnest(%s::text[], %s::text[]) AS used(view, version)
    WHERE view_versions.view = used.view AND view_versions.version = used.version
"""

_UNUSED = """
    SELECT view, version FROM view_versions WHERE source = %(source)s AND used_at < now() - %(age)s ORDER BY view, version
"""

_FAIL = "UPDATE view_versions SET problem = %(problem)s WHERE view = %(view)s AND version = %(version)s"

_MASK = "UPDATE view_versions SET masks = %s WHERE view = %s AND version = %s"

_DROP = (
    "DELETE FROM online_features WHERE view = %s AND version = %s",
    "DELETE FROM view_versions WHERE view = %s AND version = %s",
)


@dataclass(frozen=True, slots=True)
class ViewVersion:
    """A registered version; ``name`` is its view and version. Building has read ``rows_read`` of ``rows_landed`` rows."""

    name: tuple[str, str]
    definition: Definition
    state: State
    progress: str | None
    own_keys: bool
    rows_read: int
    rows_landed: int
    problem: str | None

    @property
    def share(self) -> float:
        """The built share, from 0 to 1."""
        return 1.0 if self.state == "built" else min(self.rows_read / max(self.rows_landed, 1), 1.0)

    def follows(self, key: str) -> bool:
        """Whether its state of a key is complete, so that publications must update it."""
        return self.state == "built" or (self.progress is not None and key <= self.progress)


class DeclaredViews:
    """The view versions that a process declares over a source, or over all, and the functions that it has."""

    def __init__(self, models: Iterable[Model], source: str | None = None) -> None:
        self.definitions: dict[tuple[str, str], Definition] = {}
        self._shapes: dict[Any, Shape] = {}
        for model in models:
            for view in model.views:
                if source is None or view.source == source:
                    definition = define(view, model.source(view.source))
                    self.definitions[definition.name] = definition
                    self._shapes[definition.needs] = view.shape

    def view(self, definition: Definition) -> FeatureView | None:
        """The view of a version that this process can extend, declared or not; None where it lacks the function."""
        shape = self._shapes.get(definition.needs)
        return None if shape is None else definition.as_view(shape)


def registered(cursor: Cursor, source: str | None = None) -> dict[tuple[str, str], ViewVersion]:
    """Every registered version of the views of a source, or of all, by view and version; the oldest of a view first."""
    rows = cursor.execute(_OF_SOURCE, {"source": source}).fetchall()
    versions = [
        ViewVersion((view, version), msgspec.json.decode(text, type=Definition), *rest) for view, version, text, *rest in rows
    ]
    return {version.name: version for version in versions}


def register(cursor: Cursor, definitions: Sequence[Definition]) -> None:
    """Add versions that are not registered yet; the caller holds the locks of their sources."""
    for definition in definitions:
        document = msgspec.json.encode(definition).decode()
        cursor.execute(_REGISTER, _named(definition) | {"source": definition.source, "definition": document})


def start(cursor: Cursor, definition: Definition, rows: int) -> None:
    """Record that building begins or resumes, with the number of landed rows."""
    cursor.execute(_START, _named(definition) | {"rows": rows})


def advance(cursor: Cursor, definition: Definition, progress: str | None, rows: int) -> None:
    """Record that the keys up to ``progress`` (None: all) are built, and the number of rows read for it."""
    cursor.execute(_ADVANCE, _named(definition) | {"progress": progress, "rows": rows})


def fail(cursor: Cursor, definition: Definition, problem: str) -> None:
    """Record that the version cannot be built, and why; the next process that starts tries again."""
    cursor.execute(_FAIL, _named(definition) | {"problem": problem})


def mark_outdated(cursor: Cursor, definition: Definition, problem: str | None = None) -> None:
    """Record that the version lacks landed rows: it will be built again, and answers from it are degraded until then."""
    cursor.execute(_LEFT_BEHIND, _named(definition) | {"problem": problem})


def mark_own_keys(cursor: Cursor, definition: Definition) -> None:
    """Record that the view's function makes its own keys, so that all rows must be read to find those of one key."""
    cursor.execute(_OWN_KEYS, _named(definition))


def mark_used(cursor: Cursor, names: Sequence[tuple[str, str]]) -> None:
    """Record that these versions, by view and version, are declared or read by a process now."""
    cursor.execute(_USED, [[view for view, _ in names], [version for _, version in names]])


def mask(cursor: Cursor, name: tuple[str, str], masks: Sequence[MaskedColumns]) -> None:
    """Record what of its source is masked to a version; answers that it concerns are degraded."""
    cursor.execute(_MASK, [msgspec.json.encode(masks).decode() if masks else None, *name])


def drop_unused(cursor: Cursor, source: str, age: timedelta) -> list[tuple[str, str]]:
    """Remove the versions over a source that were not used for ``age``, with their state; returns their names.

    A process that declares one of them later builds it again. The caller holds the source's lock.
    """
    unused: list[tuple[str, str]] = cursor.execute(_UNUSED, {"source": source, "age": age}).fetchall()
    for name in unused:
        for statement in _DROP:
            cursor.execute(statement, name)
    return unused


def cursor_of(connection: sa.Connection) -> Cursor:
    """The driver's own cursor, in the connection's transaction."""
    cursor: Cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
    return cursor


def _named(definition: Definition) -> dict[str, Any]:
    return {"view": definition.view, "version": definition.version}
