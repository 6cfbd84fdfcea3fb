"""Quarantines: spans of at most a day, by column, kept out of training sets and of the gate until a person releases them.

A release is a row of its own, append-only like the ledger: who, when, why. A released span is never quarantined again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.declaration import Model
from everfit.declaration.views import Features
from everfit.features.columns_read import columns_read
from everfit.store.tables import quarantine_releases, quarantines

ALL_COLUMNS = "*"  # the rows themselves are suspect: too few, or of an unknown schema

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Release:
    """Who released a span, when (wall clock), and why; ``accepted`` where what was found there is usual from then on."""

    actor: str
    reason: str
    at: datetime
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A column on a day, or on the part of it in the window; ``quarantined_at`` is the window's end."""

    model: str
    start: datetime
    end: datetime
    column: str
    reason: str
    quarantined_at: datetime
    release: Release | None


def put(
    connection: sa.Connection,
    model: str,
    span: Span,
    reasons: Mapping[str, str],
    kinds: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Quarantine every day of a window for each column, with its reason and, where they are known, its kinds of break."""
    rows = [
        {"model": model, "start": start, "end": end, "column": column, "reason": reason, "quarantined_at": span[1]}
        | {"kinds": [*kinds.get(column, ())]}
        for column, reason in reasons.items()
        for start, end in days_of(span)
    ]
    if rows:
        connection.execute(insert(quarantines).values(rows).on_conflict_do_nothing())


def days_of(span: Span) -> Iterator[Span]:
    """The span cut at midnight, UTC."""
    start, end = span
    while start < end:
        midnight = datetime.combine(start.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
        yield start, min(midnight, end)
        start = midnight


def of_model(connection: sa.Connection, model: str) -> Sequence[Quarantine]:
    """All quarantines, released or not, in order of time and column."""
    entries, releases = quarantines.c, quarantine_releases.c
    same = (entries.model == releases.model) & (entries.start == releases.start) & (entries.column == releases.column)
    query = sa.select(quarantines, releases.actor, releases.reason.label("why"), releases.at, releases.accepted).select_from(
        quarantines.outerjoin(quarantine_releases, same)
    )
    rows = connection.execute(query.where(entries.model == model).order_by(entries.start, entries.column.collate("C")))
    return [
        Quarantine(
            row.model,
            row.start,
            row.end,
            row.column,
            row.reason,
            row.quarantined_at,
            Release(row.actor, row.why, row.at, row.accepted) if row.at else None,
        )
        for row in rows
    ]


def excluded_spans(connection: sa.Connection, model: Model, inputs: Features = ()) -> list[Span]:
    """The spans kept out of training, evaluation and evidence: of a column that is read, of the label, or of all columns.

    Read are the model's features, and the ``inputs`` of a version that was made by another declaration.
    """
    entries = of_model(connection, model.name)
    read = {name for name, _ in [*model.features, *inputs]} | {model.label, ALL_COLUMNS}
    if any(entry.column not in read for entry in entries):
        read |= _of_sources(model)
    return sorted({(entry.start, entry.end) for entry in entries if entry.release is None and entry.column in read})


def _of_sources(model: Model) -> set[str]:
    """The columns of sources that the model's views read, each after its source's name, and the rows of these sources."""
    sources = {view.source: model.source(view.source) for view in model.views}
    read = {f"{view.source}.{name}" for view in model.views for name in columns_read(view, sources[view.source])}
    return read | {f"{name}.{ALL_COLUMNS}" for name in sources}


def accepted(connection: sa.Connection, model: str, prefix: str = "") -> set[tuple[str, str]]:
    """The columns and kinds of break that persons have accepted; with a prefix, of the columns that have it, and without it."""
    entries, releases = quarantines.c, quarantine_releases.c
    same = (entries.model == releases.model) & (entries.start == releases.start) & (entries.column == releases.column)
    query = sa.select(entries.column, entries.kinds).select_from(quarantines.join(quarantine_releases, same))
    rows = connection.execute(
        query.where(entries.model == model, releases.accepted, entries.column.startswith(prefix, autoescape=True))
    )
    return {(row.column.removeprefix(prefix), kind) for row in rows for kind in row.kinds}


def release(
    connection: sa.Connection, entries: Collection[Quarantine], actor: str, reason: str, *, accept: bool = False
) -> int:
    """Release quarantines, effective from the next training on; returns how many were not released before.

    Where they are accepted, too, breaks of their kinds are not raised again in these columns.
    """
    rows = [
        {"model": entry.model, "start": entry.start, "column": entry.column, "actor": actor, "reason": reason}
        | {"accepted": accept}
        for entry in entries
        if entry.release is None
    ]
    if not rows:
        return 0
    added = insert(quarantine_releases).values(rows).on_conflict_do_nothing().returning(quarantine_releases.c.start)
    return len(connection.execute(added).all())
