"""Updates of a view version's online state by a publication.

Rows mostly become known in order, and are appended to the running sums. A row out of order, or a correction of a landed row,
shifts the later running rows of its key by what it adds. Only where other rows became known at the same moment are the running
rows summed again from the landed rows.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import psycopg
from psycopg.errors import NumericValueOutOfRange

from everfit.declaration import Source
from everfit.declaration.views import FeatureView
from everfit.features.corrections import TouchedMoment, correct
from everfit.features.running_sums import Known, RunningRow, extend, known_values
from everfit.features.spans import INSTANT
from everfit.store import online, source_rows
from everfit.store.online import StateKey
from everfit.store.view_versions import ViewVersion

EARLIEST = datetime.min.replace(tzinfo=UTC)

Cursor = psycopg.Cursor[Any]


class Change(NamedTuple):
    """What a publication changes in a view: the new values, and the values of the rows that were replaced."""

    version: ViewVersion
    view: FeatureView
    known: Known
    replaced: Known

    def since(self) -> dict[str, datetime]:
        """The earliest moment touched, by key."""
        earliest: dict[str, datetime] = {}
        for key, at in sorted([*self.known, *self.replaced]):
            earliest.setdefault(key, at)
        return earliest


def running_rows(cursor: Cursor, change: Change, source: Source, last: Mapping[str, RunningRow | None]) -> list[RunningRow]:
    """The running rows to add to a view's online state; out-of-order rows and corrections are applied before."""
    since = change.since()
    if change.replaced or any(row is not None and since[key] <= row.known_at for key, row in last.items()):
        return _corrected(cursor, change, source, since)
    return extend(change.view, change.known, {key: row for key, row in last.items() if row is not None})


def _corrected(cursor: Cursor, change: Change, source: Source, since: Mapping[str, datetime]) -> list[RunningRow]:
    """Correct the running rows of the touched keys in place; where that is not possible, return them summed again."""
    touched = _touched(cursor, change)
    width = len(change.view.columns)
    changes = {key: correct(key, list(moments), width) for key, moments in groupby(touched, key=attrgetter("key"))}
    try:
        online.apply(cursor, *change.version.name, [made for made in changes.values() if made])
    except NumericValueOutOfRange:
        changes = dict.fromkeys(changes)
    again = {key: since[key] for key, made in changes.items() if made is None}
    return _summed_again(cursor, change, source, again) if again else []


def _touched(cursor: Cursor, change: Change) -> list[TouchedMoment]:
    """The moments that a publication touches, by key and in order, with the running rows at and before them."""
    state_keys = [StateKey(*change.version.name, key, at) for key, at in sorted({*change.known, *change.replaced})]
    by_then = online.as_of(cursor, state_keys)
    current = [
        row if row and row.known_at == state_key.at else None for state_key, row in zip(state_keys, by_then, strict=True)
    ]
    just_before = [
        state_key._replace(at=state_key.at - INSTANT)
        for state_key, row in zip(state_keys, current, strict=True)
        if row and state_key.at > EARLIEST
    ]
    earlier = iter(online.as_of(cursor, just_before))
    touched = []
    for state_key, row, running in zip(state_keys, by_then, current, strict=True):
        moment = state_key.key, state_key.at
        before = row if running is None else next(earlier) if state_key.at > EARLIEST else None
        touched.append(TouchedMoment(*moment, change.known.get(moment), change.replaced.get(moment), running, before))
    return touched


def _summed_again(cursor: Cursor, change: Change, source: Source, since: Mapping[str, datetime]) -> list[RunningRow]:
    """The running rows of the touched keys from the earliest touched moments on; the stored ones are removed."""
    view, definition = change.view, change.version.definition
    apart = definition.keyed_by_column and not change.version.own_keys
    rows = source_rows.of_keys(cursor, source, view.key if apart else None, list(since))
    landed = known_values(view, rows)
    known = {(key, at): values for (key, at), values in landed.items() if key in since and at >= since[key]}
    touched = [StateKey(*change.version.name, key, at) for key, at in since.items()]
    online.delete_since(cursor, touched)
    before = online.as_of(cursor, touched)
    return extend(view, known, {row.key: row for row in before if row is not None})
