"""The training set: labelled rows that were known by a cutoff, with the request that it is made for."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from everfit.declaration import Model, Source
from everfit.declaration.discovery import find_model
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID
from everfit.evidence.day_profile import MOST_DAYS, DayProfile, profile_source
from everfit.evidence.out_of_bounds import within
from everfit.evidence.propensity import drawn_by_chance
from everfit.evidence.trusted_rows import trusted
from everfit.pipeline.code_versions import code_version
from everfit.pipeline.horizon import horizon
from everfit.pipeline.lineage import raw_dataset
from everfit.pipeline.manifests import TrainingSet
from everfit.pipeline.partition_frames import load_features, load_source
from everfit.pipeline.training_parts import COLUMNS, PROPENSITY, TrainingParts
from everfit.runtime import Runtime
from everfit.store import declarations, partitions, quarantines, requests
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

    There may be none: then no candidate can be fitted, and all are rejected for that.

    Raises:
        DeclarationError: when the declaration has changed where it may not.
        EmptyPartitionError: when no features before the cutoff were ever computed, or none as new as the declared history.
    """
    parts = _newest_parts(runtime, model, cutoff)
    usable, unusable, because = collect(runtime, model, cutoff, parts)
    return TrainingSet(
        model=model.name,
        cutoff=cutoff,
        cause=request.cause if request else "person",
        reason=request.reason if request else "materialized by hand",
        request=request.id if request else None,
        rows_hash=runtime.lake.put_frame(usable),
        rows=usable.height,
        baseline=model.task.baseline(drawn_by_chance(model, usable)[LABEL].to_numpy()),
        days=dict(parts.days),
        code_version=code_version(model),
        unusable=unusable,
        unusable_because=because,
        sources={name: dict(days) for name, days in parts.sources.items()},
        outcomes=runtime.lake.put_frame(parts.outcomes),
        quarantined=list(parts.quarantined),
        source_days=[_source_days(runtime, model, source, cutoff) for source in model.sources],
    )


def _source_days(runtime: Runtime, model: Model, source: Source, cutoff: datetime) -> DayProfile:
    """The profile of a source's newest days before the cutoff, but for those that are quarantined."""
    since = (cutoff - timedelta(days=MOST_DAYS + 1)).date().isoformat()
    with runtime.engine.connect() as connection:
        made = partitions.newest(connection, raw_dataset(model, source.name), before=cutoff.date())
        broken = {start.date().isoformat() for start, _ in quarantines.excluded_spans(connection, model)}
    days = [digest for day, digest in made.items() if day >= since and day not in broken]
    return profile_source(source, load_source(runtime, source, days))


def training_rows(model: Model | str, *, as_of: datetime | str | None = None, runtime: Runtime | None = None) -> "pl.DataFrame":
    """The rows that a training with this cutoff learns from, for a notebook, collected as a training does.

    It reads the days of features as they are made: `everfit backfill MODEL` makes those that are out of date.

    Args:
        model: a declared model, or its name.
        as_of: the cutoff, as an aware time or as text such as ``2025-03-01``; by default the end of the whole days.
        runtime: the parts to work with; by default those of the stack that is up.

    Returns:
        ``_request_id``, ``_event_time``, the features, ``_label`` and ``_observed_at``, in event order; of a model that
        explores ``_explored`` and ``_weight``, too.

    Raises:
        EmptyPartitionError: when no features before the cutoff were ever computed, or none as new as the declared history.
    """
    with nullcontext(runtime) if runtime else Runtime.load() as parts:
        declared = find_model(parts.models, model) if isinstance(model, str) else model
        cutoff = default_cutoff(parts, declared, None) if as_of is None else parse_time(as_of)
        return collect(parts, declared, cutoff, _newest_parts(parts, declared, cutoff)).rows


def _newest_parts(runtime: Runtime, model: Model, cutoff: datetime) -> TrainingParts:
    with runtime.engine.begin() as connection:
        declarations.require_unchanged(connection, model)
    return TrainingParts.newest(runtime, model, cutoff)


class Collected(NamedTuple):
    """Rows to learn from, and how many were left out for a label that is none, and why."""

    rows: "pl.DataFrame"
    unusable: int
    because: str


def collect(runtime: Runtime, model: Model, cutoff: datetime, parts: TrainingParts) -> Collected:
    """The rows of these parts that may be learnt from at the cutoff; there may be none."""
    import polars as pl

    labels = _labels(runtime, model, cutoff, parts)
    rows = trusted(_labelled(runtime, model, list(parts.days.values()), labels, cutoff), parts.quarantined)
    is_usable = pl.Series(model.task.usable(rows[LABEL].to_numpy()), dtype=pl.Boolean)
    refused = rows.filter(~is_usable)[LABEL]
    return Collected(rows.filter(is_usable), len(refused), _because(model, refused.to_list()))


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


def _labels(runtime: Runtime, model: Model, cutoff: datetime, parts: TrainingParts) -> "pl.DataFrame":
    """REQUEST_ID, LABEL, OBSERVED_AT: of the history before the go-live, and of the log's outcomes from then on.

    Where the log's have EXPLORED and WEIGHT, those of the history are 1: no answer of the model chose among them.
    """
    import polars as pl

    from everfit.features.labelled_rows import labelled

    known_at = min(cutoff, model.go_live)
    landed = {source.name: load_source(runtime, source, list(parts.sources[source.name].values())) for source in model.sources}
    past = labelled(model, landed).filter(*known_by(model, known_at))
    whole = [pl.lit(1.0).alias(name) for name in PROPENSITY if name in parts.outcomes.columns]
    return pl.concat([past.select(*COLUMNS, *whole), parts.outcomes])
