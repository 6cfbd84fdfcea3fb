"""How the online state of one view version follows a publication.

Rows mostly become known in order, and are appended to the running sums. A row that comes out of order, or corrects one that
has landed, shifts the later running rows of its key by what it adds. Only where others became known at the same moment are
they summed again from what has landed.
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
from everfit.features.corrections import Touched, correct
from everfit.features.running_sums import Known, RunningRow, extend, known_values
from everfit.features.spans import INSTANT
from everfit.store import online, source_rows
from everfit.store.online import Asked
from everfit.store.view_versions import ViewVersion

EARLIEST = datetime.min.replace(tzinfo=UTC)

Cursor = psycopg.Cursor[Any]


class Change(NamedTuple):
    """What a publication changes in a view: what became known, and what was held before corrected rows replaced it."""

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
    """What to add to the online state for one view: appended to the last rows, or what is left to add after a correction."""
    since = change.since()
    if change.replaced or any(row is not None and since[key] <= row.known_at for key, row in last.items()):
        return _corrected(cursor, change, source, since)
    return extend(change.view, change.known, {key: row for key, row in last.items() if row is not None})


def _corrected(cursor: Cursor, change: Change, source: Source, since: Mapping[str, datetime]) -> list[RunningRow]:
    """Correct the running rows of the touched keys where they lie; those of the other keys are summed again and returned."""
    touched = _touched(cursor, change)
    width = len(change.view.columns)
    changes = {key: correct(key, list(moments), width) for key, moments in groupby(touched, key=attrgetter("key"))}
    try:
        online.apply(cursor, *change.version.name, [made for made in changes.values() if made])
    except NumericValueOutOfRange:
        changes = dict.fromkeys(changes)
    again = {key: since[key] for key, made in changes.items() if made is None}
    return _summed_again(cursor, change, source, again) if again else []


def _touched(cursor: Cursor, change: Change) -> list[Touched]:
    """The moments that a publication touches, by key and in order, with the running rows there and before."""
    asked = [Asked(*change.version.name, key, at) for key, at in sorted({*change.known, *change.replaced})]
    by_then = online.as_of(cursor, asked)
    held = [row if row and row.known_at == one.at else None for one, row in zip(asked, by_then, strict=True)]
    just_before = [one._replace(at=one.at - INSTANT) for one, row in zip(asked, held, strict=True) if row and one.at > EARLIEST]
    earlier = iter(online.as_of(cursor, just_before))
    touched = []
    for one, row, there in zip(asked, by_then, held, strict=True):
        moment = one.key, one.at
        before = row if there is None else next(earlier) if one.at > EARLIEST else None
        touched.append(Touched(*moment, change.known.get(moment), change.replaced.get(moment), there, before))
    return touched


def _summed_again(cursor: Cursor, change: Change, source: Source, since: Mapping[str, datetime]) -> list[RunningRow]:
    """The running rows of the touched keys from the earliest touched moments on; those held are removed."""
    view, definition = change.view, change.version.definition
    apart = definition.keyed_by_column and not change.version.own_keys
    rows = source_rows.of_keys(cursor, source, view.key if apart else None, list(since))
    landed = known_values(view, rows)
    known = {(key, at): values for (key, at), values in landed.items() if key in since and at >= since[key]}
    touched = [Asked(*change.version.name, key, at) for key, at in since.items()]
    online.delete_since(cursor, touched)
    before = online.as_of(cursor, touched)
    return extend(view, known, {row.key: row for row in before if row is not None})
