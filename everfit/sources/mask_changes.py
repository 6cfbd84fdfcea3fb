"""What follows where a mask of a source begins, ends or is released: online state, and the days that are made of its rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import polars as pl
import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.views import FeatureView
from everfit.errors import SourceError
from everfit.features.columns_read import columns_read
from everfit.features.masked_features import MaskedColumns
from everfit.sources.online_update import follow
from everfit.store import frames, masks, quarantines, source_days, source_rows, view_versions
from everfit.store.online import ALWAYS
from everfit.store.quarantines import ALL_COLUMNS, Quarantine
from everfit.store.view_versions import Cursor, DeclaredViews, ViewVersion
from everfit.timing import midnight


@contextmanager
def following(connection: sa.Connection, models: Mapping[str, Model], source: Source) -> Iterator[None]:
    """Bring all that is made of a source's rows up to date with what the block quarantines, judges or releases of it.

    It is one transaction with the block's: the source is locked for publishing until it ends.

    Args:
        connection: in a transaction.
        models: the declared models by name, whose views are known.
        source: whose masks may change.
    """
    cursor = view_versions.cursor_of(connection)
    source_rows.lock(cursor, source.name)
    before = masks.of_source(cursor, source.name)
    yield
    after = masks.of_source(cursor, source.name)
    changed = {*before} ^ {*after}
    if not changed:
        return
    start, end = min(mask.start for mask in changed), max(mask.end or ALWAYS for mask in changed)
    rows = frames.landed(connection, source, (start, end))
    old, new = (_by_day(source, masks.masked(source, rows, held)) for held in (before, after))
    days = [day for day in sorted({*old, *new}) if day not in old or day not in new or not old[day].equals(new[day])]
    views = DeclaredViews(models.values(), source.name)
    if days:
        none = rows.clear()
        replaced, instead = (pl.concat([none, *(part[day] for day in days if day in part)]) for part in (old, new))
        _follow(cursor, views, source, instead, replaced)
        source_days.touch(cursor, source.name, [midnight(day).date() for day in days])
    for name, version in view_versions.registered(cursor, source.name).items():
        view_versions.mask(cursor, name, _of_version(views.view(version.definition), version, source, after))


def _follow(cursor: Cursor, views: DeclaredViews, source: Source, new: pl.DataFrame, old: pl.DataFrame) -> None:
    """Update the online state; where that fails, it is built again, and its answers are degraded until then."""
    versions = view_versions.registered(cursor, source.name)
    try:
        follow(cursor, views, versions, source, new, old)
    except SourceError as error:
        for version in versions.values():
            view_versions.mark_outdated(cursor, version.definition, str(error))


def _of_version(
    view: FeatureView | None, version: ViewVersion, source: Source, held: Sequence[masks.Mask]
) -> list[MaskedColumns]:
    """The masks of a source by the columns that a view takes: of one that its function merely reads, all of them."""
    taken = list(dict.fromkeys(each.column for each in version.definition.features))
    read = [*columns_read(view, source), ALL_COLUMNS] if view else None
    concerned = [mask for mask in held if read is None or mask.column in read]
    return [MaskedColumns(mask.start, mask.end, [mask.column] if mask.column in taken else taken) for mask in concerned]


def release(
    connection: sa.Connection,
    models: Mapping[str, Model],
    entries: Collection[Quarantine],
    actor: str,
    reason: str,
    *,
    accept: bool = False,
) -> int:
    """Release quarantines, and bring back what of their sources was masked; returns how many were not released before."""
    sources = {source.name: source for model in models.values() for source in model.sources}
    with ExitStack() as followed:
        for name in sorted({entry.column.partition(".")[0] for entry in entries} & {*sources}):
            followed.enter_context(following(connection, models, sources[name]))
        return quarantines.release(connection, entries, actor, reason, accept=accept)


def _by_day(source: Source, rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return frames.parts_by_day(rows, source.event_time)
