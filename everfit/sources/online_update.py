"""The online state of all versions of views over a source, brought up to date with rows that have just landed.

:mod:`everfit.store.view_updates` describes how the state of one version follows.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import psycopg

from everfit.declaration import Source
from everfit.errors import SourceError
from everfit.features.keys import keeps_keys
from everfit.features.running_sums import RunningRow, known_values
from everfit.store import view_versions
from everfit.store.online import ALWAYS, StateKey, as_of, insert
from everfit.store.view_updates import Change, running_rows
from everfit.store.view_versions import DeclaredViews, ViewVersion

Cursor = psycopg.Cursor[Any]


def follow(
    cursor: Cursor,
    views: DeclaredViews,
    versions: Mapping[tuple[str, str], ViewVersion],
    source: Source,
    new: pl.DataFrame,
    old: pl.DataFrame | None,
) -> None:
    """Update every version over the source by the ``new`` rows, and by the ``old`` ones that they replace.

    A version that cannot be updated, and is not declared here, is marked as outdated.

    Raises:
        SourceError: when a declared version cannot be updated.
    """
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
