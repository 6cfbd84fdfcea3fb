"""Fit every candidate: on rolling origins and on everything. What a fault in the data spoils is left out; the rest goes on.

A feature without information, a fold that cannot be trained for, a candidate that fails: each is a smaller result with its
reason in the manifest. What may pass by itself, such as a full disk, is raised, so that the run is tried again.
"""

import errno
import logging
import math
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import CANDIDATE, LABEL, REQUEST_ID, SCORE
from everfit.declaration.retraining import SECOND_LOOK
from everfit.environment import formats
from everfit.errors import EmptyPartitionError, EverfitError, LakeError, NotServableError, RecipeError
from everfit.evaluation.folds import folds
from everfit.evidence import quality
from everfit.evidence.calibration import calibrate, reference_sample
from everfit.evidence.day_profile import profile_requests
from everfit.evidence.drift import watched
from everfit.evidence.propensity import drawn_by_chance
from everfit.pipeline import manifests
from everfit.pipeline.backtest import backtest, fit_arguments
from everfit.pipeline.champion_fit import champion_fit, kept_checkpoint
from everfit.pipeline.fit_rows import FitRows
from everfit.pipeline.manifests import Trained, TrainedModel, TrainingSet, Version
from everfit.pipeline.provenance import provenance
from everfit.pipeline.searches import settled
from everfit.pipeline.second_look import first_look, look_again
from everfit.pipeline.trackers import Tracker
from everfit.pipeline.training_progress import Shown, TrainingProgress, unshown
from everfit.pipeline.unfinished_training import UnfinishedTraining, unfinished
from everfit.runtime import Runtime
from everfit.store import ledger
from everfit.store.failures import describe
from everfit.store.isolation import MACHINE, is_shared
from everfit.training.fit_place import FitPlace
from everfit.training.fit_pool import FitPool
from everfit.training.searching import Search

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.artifact import Signature
    from everfit.training.checked_fit import CheckedFit
    from everfit.training.fit_process import FitProcess
    from everfit.training.latency import Latency
    from everfit.training.version_scorer import VersionScorer

PARITY_ROWS = 50_000  # the newest rows, on which the exported answers are compared with the native ones
TRAINED = "trained.json"
OF_MEMORY = {errno.ENOMEM, errno.EAGAIN}  # no memory left, or no process
LOOK_SECONDS = 1.0  # between two looks at how far the fits are

UNTRACKED = Tracker()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Training:
    """What the candidates of one training share."""

    runtime: Runtime
    model: Model
    given: FitRows
    kept: UnfinishedTraining
    fits: FitPool
    champion: Version | None
    tracker: Tracker


def train(
    runtime: Runtime,
    model: Model,
    training_set: TrainingSet,
    data_version: str,
    tracker: Tracker = UNTRACKED,
    show: Shown = unshown,
) -> TrainedModel:
    """Fit every candidate: on rolling origins over the days that the champion has not seen, and on everything.

    For a second look, those that were inconclusive are kept as they are; where they cannot be, all are trained anew for the
    cause of the first. ``tracker`` gets the trials of searches; it and ``show`` are told how far fits are, some time after they
    began.

    Raises:
        RecipeError: when no candidate is left, and one failed for no reason that everfit knows: a fault of the code's.
        Exception: what concerns all candidates, such as a full disk.
    """
    first = first_look(runtime, model, training_set) if training_set.cause == SECOND_LOOK else None
    if first and (kept := look_again(runtime, model, first, training_set, data_version)):
        return kept
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    trained = train_beside(champion, runtime, model, training_set, data_version, tracker, show)
    cause = manifests.learnt(runtime.lake, first.trained).cause if first else ""
    return msgspec.structs.replace(trained, cause=cause)


def train_beside(
    champion: ledger.Champion | None,
    runtime: Runtime,
    model: Model,
    training_set: TrainingSet,
    data_version: str,
    tracker: Tracker = UNTRACKED,
    show: Shown = unshown,
) -> TrainedModel:
    """As :func:`train`, where that version is champion: it decides which days are unseen, and fits may go on from it."""
    file = runtime.lake.verified(training_set.rows_hash, "parquet")
    unseen_since = champion.trained_until if champion else None
    origins = folds(model.gate, training_set.cutoff, unseen_since)
    current = manifests.get(runtime.lake, champion.manifest, Version) if champion else None
    with (
        tempfile.TemporaryDirectory(prefix="everfit-training-") as folder,
        unfinished(runtime.lake, model, training_set, champion_fit(runtime.lake, champion, current)) as kept,
    ):
        given = FitRows.of(model, training_set, file, origins, Path(folder), unseen_since)
        pool = FitPool(model.candidates, model.training, row_bytes=int(given.rows.estimated_size()))
        training = _Training(runtime, model, given, kept, pool, current, tracker)
        with ThreadPoolExecutor(len(model.candidates)) as side_by_side, pool:
            awaited = [side_by_side.submit(_train_one, training, recipe) for recipe in model.candidates]
            _await(awaited, TrainingProgress(kept, tracker, show))
    fitted, failed = _outcomes(model, awaited)
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
        made_with=provenance(model),
    )


def _await(candidates: Sequence[Future[Trained]], progress: TrainingProgress) -> None:
    """Wait for all, and tell how far they are. What concerns all is raised at once."""
    waiting = set(candidates)
    while waiting:
        ended, waiting = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
        progress.tell()
        for error in (candidate.exception() for candidate in ended):
            if error and _concerns_all(error):
                raise error


def _outcomes(model: Model, ended: Sequence[Future[Trained]]) -> tuple[list[Trained], dict[str, Exception]]:
    """The candidates that could be trained, and what the others failed by, in the order of their declaration."""
    fitted: list[Trained] = []
    failed: dict[str, Exception] = {}
    for recipe, candidate in zip(model.candidates, ended, strict=True):
        try:
            fitted.append(candidate.result())
        except Exception as error:  # a recipe may raise anything; the others go on
            logger.warning("%s: candidate %s is set aside: %s", model.name, recipe.name, error, exc_info=error)
            failed[recipe.name] = error
    return fitted, failed


def _concerns_all(error: BaseException) -> bool:
    """Whether it is no fault of a recipe or its data, but of the database, the lake or the machine: the run is tried again."""
    if isinstance(error, OSError):
        return error.errno in MACHINE | OF_MEMORY
    return isinstance(error, LakeError | MemoryError) or is_shared(error)


def _train_one(training: _Training, declared: Recipe) -> Trained:
    """A candidate; where it is a search, with the settings that are found."""
    if training.given.rows.is_empty():
        cutoff = training.given.training_set.cutoff
        raise EmptyPartitionError(f"no label was known by {cutoff:%Y-%m-%d}; wait for outcomes, or publish history")
    if not isinstance(declared, Search):
        return _kept_or_fitted(training, declared)
    runtime, model, given = training.runtime, training.model, training.given
    recipe, searched = settled(runtime, model, declared, given, training.fits, training.champion, training.tracker)
    return msgspec.structs.replace(_kept_or_fitted(training, recipe), searched=searched)


def _kept_or_fitted(training: _Training, recipe: Recipe) -> Trained:
    """The candidate as an earlier attempt has trained it, or as it is trained now."""
    place = training.kept.fit(recipe)
    if content := place.kept(TRAINED):
        logger.info("%s: candidate %s was trained by an earlier attempt", training.model.name, recipe.name)
        return formats.read(content, Trained, f"of {recipe.name} in {place.path}")
    trained = _fitted(training, recipe, place)
    place.keep(TRAINED, msgspec.json.encode(trained))
    return trained


def _fitted(training: _Training, recipe: Recipe, place: FitPlace) -> Trained:
    import numpy as np

    from everfit.training.artifact import Signature
    from everfit.training.constant_features import left_out
    from everfit.training.version_scorer import open_scorer

    began = time.monotonic()
    runtime, model, given, fits = training.runtime, training.model, training.given, training.fits
    rows, cutoff = given.rows, given.training_set.cutoff
    signature = Signature.of(model, recipe.trusted_types())
    with ThreadPoolExecutor(1) as aside:
        backtested = aside.submit(backtest, model, recipe, rows, given.folds, fits, training.kept)
        with fits.fitted(recipe, given.file, place=place, **fit_arguments(model)) as fitted:
            content = fitted.export()
            latency, refused = _checked(content, signature, rows, fitted, spread=model.task.spread(rows[LABEL].to_numpy()))
        tested = backtested.result()
    answered = partial(_answered, model, open_scorer(content, signature))
    columns = [*model.features, *model.task.watched(np.empty((0, *model.task.output.shape)))]
    asked = drawn_by_chance(model, rows)  # windows and days are of all that is asked
    reference = reference_sample(model.drift, asked, columns, cutoff=cutoff, answered=answered)
    return Trained(
        name=recipe.name,
        config=recipe.parameters(),
        artifact=runtime.lake.put(content, signature.kind),
        backtest=runtime.lake.put_frame(tested.rows),
        reference=runtime.lake.put_frame(reference),
        calibration=calibrate(model.drift, asked, reference, columns, cutoff=cutoff, answered=answered),
        profile=quality.profile(model, asked),
        day_profile=profile_requests(model, _with_backtest(asked, tested.rows)),
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


def _with_backtest(rows: "pl.DataFrame", tested: "pl.DataFrame") -> "pl.DataFrame":
    """Rows with the answers of the rolling origins as SCORE, which none of the rows had been learnt for; null before these."""
    import polars as pl

    if tested.is_empty():
        return rows
    answers = tested.select(REQUEST_ID, pl.col(CANDIDATE).alias(SCORE))
    return rows.join(answers, on=REQUEST_ID, how="left", maintain_order="left")


def _answered(model: Model, scorer: "VersionScorer", rows: "pl.DataFrame") -> "pl.DataFrame":
    """Rows with the columns in which drift of the answers is measured."""
    return watched(model.task, rows, scorer.score(rows))


def _checked(
    content: bytes, signature: "Signature", rows: "pl.DataFrame", fitted: "CheckedFit | FitProcess", *, spread: float
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
