"""The training set: labelled rows that were known by a cutoff, with the request that it is made for."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.discovery import find_model
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID
from everfit.errors import EmptyPartitionError
from everfit.evidence.out_of_bounds import within
from everfit.pipeline.code_versions import code_version
from everfit.pipeline.day_isolation import failing_days
from everfit.pipeline.horizon import horizon
from everfit.pipeline.lineage import features_dataset
from everfit.pipeline.manifests import TrainingSet
from everfit.pipeline.partition_frames import load_features, load_raw
from everfit.runtime import Runtime
from everfit.store import declarations, frames, partitions, quarantines, requests
from everfit.store.requests import RetrainRequest
from everfit.timing import midnight, parse_time

if TYPE_CHECKING:
    import polars as pl


def request_of(runtime: Runtime, request_id: str | None) -> RetrainRequest | None:
    """The retrain request that a run was launched for; None for a run that a person launched."""
    if request_id is None:
        return None
    with runtime.engine.connect() as connection:
        return requests.find(connection, request_id)


def default_cutoff(runtime: Runtime, model: Model, request: RetrainRequest | None) -> datetime:
    """The request's cutoff, or the end of the days that are whole."""
    if request:
        return request.cutoff
    with runtime.engine.connect() as connection:
        return midnight(horizon(connection, model))


def assemble(runtime: Runtime, model: Model, *, cutoff: datetime, request: RetrainRequest | None) -> TrainingSet:
    """Collect the labelled rows that were known by the cutoff, in event order, without quarantined days and rows out of bounds.

    Days that could not be made lately are left out: what is there of them may be wrong.

    There may be none: then no candidate can be fitted, and all are rejected for that.

    Raises:
        DeclarationError: when the declaration has changed where it may not.
        EmptyPartitionError: when no features before the cutoff were ever computed.
    """
    usable, days, unusable, because = collect(runtime, model, cutoff)
    return TrainingSet(
        model=model.name,
        cutoff=cutoff,
        cause=request.cause if request else "person",
        reason=request.reason if request else "materialized by hand",
        request=request.id if request else None,
        rows_hash=runtime.lake.put_frame(usable),
        rows=usable.height,
        baseline=model.task.baseline(usable[LABEL].to_numpy()),
        days=days,
        code_version=code_version(model),
        unusable=unusable,
        unusable_because=because,
    )


def training_rows(model: Model | str, *, as_of: datetime | str | None = None, runtime: Runtime | None = None) -> "pl.DataFrame":
    """The rows that a training with this cutoff learns from, for a notebook, collected as a training does.

    It reads the days of features as they are made: `everfit backfill MODEL` makes those that are out of date.

    Args:
        model: a declared model, or its name.
        as_of: the cutoff, as an aware time or as text such as ``2025-03-01``; by default the end of the whole days.
        runtime: the parts to work with; by default those of the stack that is up.

    Returns:
        ``_request_id``, ``_event_time``, the features, ``_label`` and ``_observed_at``, in event order.

    Raises:
        EmptyPartitionError: when no features before the cutoff were ever computed.
    """
    with nullcontext(runtime) if runtime else Runtime.load() as parts:
        declared = find_model(parts.models, model) if isinstance(model, str) else model
        cutoff = default_cutoff(parts, declared, None) if as_of is None else parse_time(as_of)
        return collect(parts, declared, cutoff).rows


class Collected(NamedTuple):
    """Rows to learn from, the digests of their days, and how many were left out for a label that is none, and why."""

    rows: "pl.DataFrame"
    days: dict[str, str]
    unusable: int
    because: str


def collect(runtime: Runtime, model: Model, cutoff: datetime) -> Collected:
    """What :func:`assemble` and :func:`training_rows` are made of; raises as they do."""
    import polars as pl

    since = None if model.training.history == "all" else (cutoff - model.training.history).date()
    with runtime.engine.begin() as connection:
        declarations.require_unchanged(connection, model)
        made = partitions.newest(connection, features_dataset(model), since=since)
        stale = failing_days(connection, model)  # what they hold does not follow from what has landed
        days = {day: digest for day, digest in made.items() if midnight(day) < cutoff and day not in stale}
        if not days and not any(midnight(day) < cutoff for day in partitions.newest(connection, features_dataset(model))):
            raise EmptyPartitionError(f"{model.name}: no features before {cutoff:%Y-%m-%d}; materialize features first")
        labels = _labels(runtime, connection, model, cutoff)
        quarantined = quarantines.excluded_spans(connection, model)
    rows = _labelled(runtime, model, list(days.values()), labels, cutoff) if days else labels.clear()
    for span in quarantined if days else []:
        rows = rows.filter(~pl.col(EVENT_TIME).is_between(*span, closed="left"))
    is_usable = pl.Series(model.task.usable(rows[LABEL].to_numpy()), dtype=pl.Boolean)
    refused = rows.filter(~is_usable)[LABEL]
    return Collected(rows.filter(is_usable), days, len(refused), _because(model, refused.to_list()))


def _because(model: Model, refused: Sequence[float | str | None]) -> str:
    """The first of the labels that are none of the task's, what it would have to be, and what to do; empty without any."""
    if not refused:
        return ""
    label = math.nan if refused[0] is None else refused[0]
    todo = "correct their outcomes, or map them in the history"
    return f"{model.label} is {label!r} in one of them, no {model.task.label_fault(label)}; {todo}"


def _labelled(runtime: Runtime, model: Model, days: Sequence[str], labels: "pl.DataFrame", cutoff: datetime) -> "pl.DataFrame":
    """The features of these days with their labels, as far as both were known by the cutoff, in event order."""
    rows = load_features(runtime, model, days).join(labels, on=REQUEST_ID, how="inner")
    rows = within(model, rows.filter(*known_by(model, cutoff))).sort(EVENT_TIME, REQUEST_ID)
    return rows.unique(REQUEST_ID, keep="first", maintain_order=True)


def known_by(model: Model, moment: datetime) -> "list[pl.Expr]":
    """Which rows may be learnt from at a moment: old enough that every label would be known, slow ones included."""
    import polars as pl

    at = pl.col(EVENT_TIME)
    return [at < moment, at <= moment - model.training.label_delay, pl.col(OBSERVED_AT) <= moment]


def _labels(runtime: Runtime, connection: sa.Connection, model: Model, cutoff: datetime) -> "pl.DataFrame":
    """REQUEST_ID, LABEL, OBSERVED_AT: of the history before the go-live, and of the log's outcomes from then on."""
    import polars as pl

    from everfit.features.labelled_rows import labelled

    known_at = min(cutoff, model.go_live)
    past = labelled(model, load_raw(runtime, model, before=known_at)).filter(*known_by(model, known_at))
    answered = frames.logged(connection, model, (model.go_live, cutoff), known_at=cutoff, late=True)
    live = answered.filter(pl.col(LABEL).is_not_null()).unique(REQUEST_ID)
    return pl.concat([frame.select(REQUEST_ID, LABEL, OBSERVED_AT) for frame in (past, live)])
