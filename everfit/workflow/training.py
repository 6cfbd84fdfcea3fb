"""From labelled rows to judged candidates: assemble, fit on rolling origins and on everything, compare with the champion."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from everfit.columns import CANDIDATE, EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID, SCORE, renewed
from everfit.declaration import Candidate, Model
from everfit.deployment import Deployment
from everfit.errors import EmptyPartitionError, NotServableError
from everfit.evaluation.folds import Fold, folds
from everfit.evaluation.metrics import summary
from everfit.evidence import quality
from everfit.evidence.bounds import within
from everfit.evidence.calibration import calibrate, reference_sample
from everfit.features.views import Kind
from everfit.store import frames, judgements, ledger, partitions, quarantines, requests
from everfit.store.requests import RetrainRequest
from everfit.timing import midnight
from everfit.workflow.days import load_features, load_raw
from everfit.workflow.lineage import features_dataset
from everfit.workflow.manifests import Trained, TrainedModel, TrainingSet
from everfit.workflow.versions import code_version

if TYPE_CHECKING:
    import polars as pl


SCORED: tuple[str, Kind] = (SCORE, "number")
PARITY_ROWS = 50_000  # the newest rows, on which the exported answers are held against the native ones


def request_of(deployment: Deployment, request_id: str | None) -> RetrainRequest | None:
    """The retrain request that a run was launched for; None for a run that a person launched."""
    if request_id is None:
        return None
    with deployment.engine.connect() as connection:
        return requests.find(connection, request_id)


def default_cutoff(deployment: Deployment, model: Model, request: RetrainRequest | None) -> datetime:
    """The request's cutoff, or the newest midnight that the model's clock has passed."""
    if request:
        return request.cutoff
    with deployment.engine.connect() as connection:
        return midnight((judgements.clock(connection, model) or model.go_live).date())


def assemble(deployment: Deployment, model: Model, *, cutoff: datetime, request: RetrainRequest | None) -> TrainingSet:
    """Collect the labelled rows that were known by the cutoff, in event order, without quarantined days and rows out of bounds.

    Raises:
        EmptyPartitionError: when no features before the cutoff were computed, or none of their labels was known.
    """
    import polars as pl

    since = None if model.training.history == "all" else (cutoff - model.training.history).date()
    with deployment.engine.connect() as connection:
        made = partitions.newest(connection, features_dataset(model), since=since)
        days = {day: digest for day, digest in made.items() if midnight(day) < cutoff}
        if not days:
            raise EmptyPartitionError(f"{model.name}: no features before {cutoff:%Y-%m-%d}; materialize features first")
        labels = _labels(deployment, connection, model, cutoff)
        quarantined = quarantines.holding(connection, model)
    rows = load_features(deployment, model, list(days.values())).join(labels, on=REQUEST_ID, how="inner")
    broken = (pl.col(EVENT_TIME).is_between(*span, closed="left") for span in quarantined)
    rows = within(model, rows.filter(*_known_by(model, cutoff), *(~quarantine for quarantine in broken)))
    rows = rows.sort(EVENT_TIME, REQUEST_ID).unique(REQUEST_ID, keep="first", maintain_order=True)
    if rows.is_empty():
        raise EmptyPartitionError(
            f"{model.name}: no label was known by {cutoff:%Y-%m-%d}; wait for outcomes or publish history"
        )
    return TrainingSet(
        model=model.name,
        cutoff=cutoff,
        cause=request.cause if request else "person",
        reason=request.reason if request else "materialized by hand",
        request=request.id if request else None,
        rows_hash=deployment.lake.put_frame(rows),
        rows=rows.height,
        positive_share=float(rows[LABEL].mean()),  # type: ignore[arg-type]
        days=days,
        code_version=code_version(model),
    )


def _known_by(model: Model, moment: datetime) -> "list[pl.Expr]":
    """Which rows may be learnt from at a moment: old enough that every label would be known, slow ones included."""
    import polars as pl

    at = pl.col(EVENT_TIME)
    return [at < moment, at <= moment - model.training.label_delay, pl.col(OBSERVED_AT) <= moment]


def _labels(deployment: Deployment, connection: sa.Connection, model: Model, cutoff: datetime) -> "pl.DataFrame":
    """REQUEST_ID, LABEL, OBSERVED_AT: of the history before the go-live, and of the log's outcomes from then on."""
    import polars as pl

    from everfit.features.history import labelled

    known_at = min(cutoff, model.go_live)
    past = labelled(model, load_raw(deployment, model, before=known_at)).filter(*_known_by(model, known_at))
    answered = frames.logged(connection, model, (model.go_live, cutoff), known_at=cutoff, late=True)
    live = answered.filter(pl.col(LABEL).is_not_null()).unique(REQUEST_ID)
    return pl.concat([frame.select(REQUEST_ID, LABEL, OBSERVED_AT) for frame in (past, live)])


def train(deployment: Deployment, model: Model, training_set: TrainingSet, data_version: str) -> TrainedModel:
    """Fit every candidate: on rolling origins over the days that the champion has not seen, and on everything."""
    with deployment.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    rows = renewed(deployment.lake.get_frame(training_set.rows_hash), model.label)
    origins = folds(model.gate, training_set.cutoff, champion.trained_until if champion else None)
    candidates = [
        _train_one(deployment, model, candidate, rows, origins, training_set.cutoff) for candidate in model.candidates
    ]
    return TrainedModel(training_set=data_version, champion=champion.version if champion else None, candidates=candidates)


def _train_one(
    deployment: Deployment, model: Model, candidate: Candidate, rows: "pl.DataFrame", origins: Sequence[Fold], cutoff: datetime
) -> Trained:
    import polars as pl

    from everfit.training.artifact import Scorer, Signature
    from everfit.training.latency import Latency
    from everfit.training.parity import check_parity
    from everfit.training.trainers import fit

    began = time.monotonic()
    tested = backtest(model, candidate, rows, origins)
    fitted = fit(candidate, rows, features=model.features, label=LABEL)
    onnx = fitted.to_onnx()
    signature = Signature(model=model.name, features=model.features, schema=model.schema_id)
    refused, latency = None, Latency(0.0, 1.0)
    try:
        latency = check_parity(onnx, signature, rows.tail(PARITY_ROWS), fitted.predict).latency
    except NotServableError as error:
        refused = str(error)
    watched = rows.with_columns(pl.Series(SCORE, Scorer(onnx, signature).score(rows)))
    columns = [*model.features, SCORED]
    reference = reference_sample(model.drift, watched, columns, cutoff=cutoff)
    return Trained(
        name=candidate.name,
        config=candidate.model_dump(mode="json"),
        onnx=deployment.lake.put(onnx, "onnx"),
        backtest=deployment.lake.put_frame(tested),
        reference=deployment.lake.put_frame(reference),
        calibration=calibrate(model.drift, watched, reference, columns, cutoff=cutoff),
        profile=quality.profile(model, rows),
        metrics=summary(tested[LABEL].to_numpy(), tested[CANDIDATE].to_numpy()) if tested.height else {},
        latency_ms=latency.ms,
        slowdown=latency.slowdown,
        signature=signature,
        refused=refused,
        seconds=time.monotonic() - began,
    )


def backtest(model: Model, candidate: Candidate, rows: "pl.DataFrame", origins: Sequence[Fold]) -> "pl.DataFrame":
    """The folds' rows with the recipe's score as CANDIDATE, each trained on what was known when its fold began."""
    import polars as pl

    from everfit.training.trainers import fit

    parts = [rows.clear().with_columns(pl.Series(CANDIDATE, [], dtype=pl.Float64))]
    for origin in origins:
        known = rows.filter(*_known_by(model, origin.start))
        fold = rows.filter(pl.col(EVENT_TIME).is_between(origin.start, origin.end, closed="left"))
        if known.height and fold.height:
            fitted = fit(candidate, known, features=model.features, label=LABEL)
            parts.append(fold.with_columns(pl.Series(CANDIDATE, fitted.predict(fold))))
    return pl.concat(parts)
