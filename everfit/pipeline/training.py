"""Fit every candidate: on rolling origins and on everything. What a fault in the data spoils is left out; the rest goes on.

A feature without information, a fold that cannot be trained for, a candidate that fails: each is a smaller result with its
reason in the manifest. What may pass by itself, such as a full disk, is raised, so that the run is tried again.
"""

import errno
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import CANDIDATE, LABEL, renewed
from everfit.environment import formats
from everfit.errors import EmptyPartitionError, EverfitError, LakeError, NotServableError, RecipeError
from everfit.evaluation.folds import Fold, folds
from everfit.evidence import quality
from everfit.evidence.calibration import calibrate, reference_sample
from everfit.evidence.drift import watched
from everfit.pipeline import manifests
from everfit.pipeline.backtest import backtest
from everfit.pipeline.champion_fit import champion_fit, kept_checkpoint
from everfit.pipeline.manifests import Trained, TrainedModel, TrainingSet, Version
from everfit.pipeline.searches import settled
from everfit.pipeline.trackers import Tracker
from everfit.pipeline.training_progress import Shown, TrainingProgress, unshown
from everfit.pipeline.unfinished_training import UnfinishedTraining, unfinished
from everfit.runtime import Runtime
from everfit.store import ledger
from everfit.store.failures import describe
from everfit.store.isolation import MACHINE, is_shared
from everfit.training.searching import Search

if TYPE_CHECKING:
    import polars as pl

    from everfit.declaration.recipes import Fitted
    from everfit.training.artifact import Signature
    from everfit.training.latency import Latency

PARITY_ROWS = 50_000  # the newest rows, on which the exported answers are compared with the native ones
TRAINED = "trained.json"
OF_MEMORY = {errno.ENOMEM, errno.EAGAIN}  # no memory left, or no process

UNTRACKED = Tracker()

logger = logging.getLogger(__name__)


def train(
    runtime: Runtime,
    model: Model,
    training_set: TrainingSet,
    data_version: str,
    tracker: Tracker = UNTRACKED,
    show: Shown = unshown,
) -> TrainedModel:
    """Fit every candidate: on rolling origins over the days that the champion has not seen, and on everything.

    ``tracker`` gets the trials of searches; it and ``show`` are told how far fits are, some time after they began.

    Raises:
        RecipeError: when no candidate is left, and one failed for no reason that everfit knows: a fault of the code's.
        Exception: what concerns all candidates, such as a full disk.
    """
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    rows = renewed(runtime.lake.get_frame(training_set.rows_hash), model.label)
    origins = folds(model.gate, training_set.cutoff, champion.trained_until if champion else None)
    current = manifests.get(runtime.lake, champion.manifest, Version) if champion else None
    fitted: list[Trained] = []
    failed: dict[str, Exception] = {}
    with unfinished(runtime.lake, model, training_set, champion_fit(runtime.lake, champion, current)) as place:
        kept = replace(place, told=TrainingProgress(place, tracker, show).tell)
        for recipe in model.candidates:
            try:
                fits, searched = recipe, dict[str, Any]()
                if isinstance(recipe, Search):
                    fits, searched = settled(runtime, model, recipe, rows, origins, training_set, current, tracker)
                made = _kept_or_trained(runtime, model, fits, rows, origins, training_set.cutoff, kept)
                fitted.append(msgspec.structs.replace(made, searched=searched))
            except Exception as error:  # a recipe may raise anything; the others go on
                if _concerns_all(error):
                    raise
                logger.warning("%s: candidate %s is set aside: %s", model.name, recipe.name, error, exc_info=error)
                failed[recipe.name] = error
    unknown = next(((name, error) for name, error in failed.items() if not isinstance(error, EverfitError)), None)
    if unknown and not fitted:
        name, cause = unknown
        reason = f"recipe {name} fails by {type(cause).__name__}: {cause}"
        raise RecipeError(f"{model.name}: no candidate is left; {reason}; repair the recipe, and train again") from cause
    return TrainedModel(
        training_set=data_version,
        champion=champion.version if champion else None,
        candidates=fitted,
        set_aside={name: describe(error) for name, error in failed.items()},
    )


def _concerns_all(error: Exception) -> bool:
    """Whether it is no fault of a recipe or its data, but of the database, the lake or the machine: the run is tried again."""
    if isinstance(error, OSError):
        return error.errno in MACHINE | OF_MEMORY
    return isinstance(error, LakeError | MemoryError) or is_shared(error)


def _kept_or_trained(
    runtime: Runtime,
    model: Model,
    recipe: Recipe,
    rows: "pl.DataFrame",
    origins: Sequence[Fold],
    cutoff: datetime,
    kept: UnfinishedTraining,
) -> Trained:
    """The candidate as an earlier attempt has trained it, or as it is trained now."""
    place = kept.fit(recipe)
    if content := place.kept(TRAINED):
        logger.info("%s: candidate %s was trained by an earlier attempt", model.name, recipe.name)
        return formats.read(content, Trained, f"of {recipe.name} in {place.path}")
    trained = _train_one(runtime, model, recipe, rows, origins, cutoff, kept)
    place.keep(TRAINED, msgspec.json.encode(trained))
    return trained


def _train_one(
    runtime: Runtime,
    model: Model,
    recipe: Recipe,
    rows: "pl.DataFrame",
    origins: Sequence[Fold],
    cutoff: datetime,
    kept: UnfinishedTraining,
) -> Trained:
    from everfit.training.artifact import Signature
    from everfit.training.constant_features import left_out
    from everfit.training.recipe_fit import fit_candidate
    from everfit.training.version_scorer import open_scorer

    began = time.monotonic()
    if rows.is_empty():
        raise EmptyPartitionError(f"no label was known by {cutoff:%Y-%m-%d}; wait for outcomes, or publish history")
    tested = backtest(model, recipe, rows, origins, kept)
    place = kept.fit(recipe)
    fitted = fit_candidate(model, recipe, rows, place)
    content = fitted.export()
    signature = Signature.of(model, recipe.trusted_types())
    latency, refused = _checked(content, signature, rows, fitted, spread=model.task.spread(rows[LABEL].to_numpy()))
    answers = open_scorer(content, signature).score(rows)
    answered = watched(model.task, rows, answers)
    columns = [*model.features, *model.task.watched(answers[:0])]
    reference = reference_sample(model.drift, answered, columns, cutoff=cutoff)
    return Trained(
        name=recipe.name,
        config=recipe.parameters(),
        artifact=runtime.lake.put(content, signature.kind),
        backtest=runtime.lake.put_frame(tested.rows),
        reference=runtime.lake.put_frame(reference),
        calibration=calibrate(model.drift, answered, reference, columns, cutoff=cutoff),
        profile=quality.profile(model, rows),
        metrics=_metrics(model, recipe, tested.rows),
        latency_ms=latency.ms,
        slowdown=latency.slowdown,
        signature=signature,
        left_out=left_out(model.features, rows),
        folds_left_out=tested.left_out,
        notes=list(fitted.notes),
        refused=refused,
        seconds=time.monotonic() - began,
        checkpoint=kept_checkpoint(runtime.lake, place.last_checkpoint()),
        parent=fitted.parent,
    )


def _checked(
    content: bytes, signature: "Signature", rows: "pl.DataFrame", fitted: "Fitted", *, spread: float
) -> "tuple[Latency, str | None]":
    """The latency of what is exported, and why it must not serve where its answers are not those of the fitted recipe."""
    from everfit.training.latency import Latency
    from everfit.training.parity import check_parity

    try:
        return check_parity(content, signature, rows.tail(PARITY_ROWS), fitted.predict, spread=spread).latency, None
    except NotServableError as error:
        return Latency(0.0, 1.0), str(error)


def _metrics(model: Model, recipe: Recipe, tested: "pl.DataFrame") -> dict[str, float]:
    """The task's figures on the folds' rows, and the metric where it is defined; none where there are no rows.

    Raises:
        MetricError: when a function of the user's fails.
        RecipeError: when one of them is not finite.
    """
    if tested.is_empty():
        return {}
    labels, answers, metric = tested[LABEL].to_numpy(), tested[CANDIDATE].to_numpy(), model.metric
    figures = model.task.summary(labels, answers)
    if metric.name not in figures and not math.isnan(loss := metric.loss(labels, answers)):
        figures[metric.name] = metric.shown(loss)
    if wrong := {name: figure for name, figure in figures.items() if not math.isfinite(figure)}:
        raise RecipeError(
            f"recipe {recipe.name}: {type(model.task).__name__}.summary gives {wrong}; figures are finite numbers"
        )
    return figures
