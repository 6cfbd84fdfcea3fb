"""Fit a comparator: the champion's recipe, or a declared one, on what was known when its window began."""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import LABEL
from everfit.errors import EmptyPartitionError, LostVersionError, RecipeError
from everfit.pipeline import manifests
from everfit.pipeline.backtest import fit_arguments
from everfit.pipeline.fit_rows import in_file
from everfit.pipeline.fresh_answers import FittedComparator
from everfit.pipeline.manifests import TrainedModel, Version
from everfit.pipeline.retraining import make_days
from everfit.pipeline.training_set import training_rows
from everfit.runtime import Runtime
from everfit.store import ledger
from everfit.store.comparators import Comparator
from everfit.training.artifact import Signature
from everfit.training.fit_pool import FitPool
from everfit.training.parity import largest_difference
from everfit.training.searching import Search
from everfit.training.version_scorer import open_scorer

if TYPE_CHECKING:
    import polars as pl

LIGHT = "light"  # the champion's recipe on one row in LIGHT_ROWS
LIGHT_ROWS = 10
COMPARED_ROWS = 1_000  # the newest, on which the exported answers are compared with the native ones


def fit_comparator(runtime: Runtime, model: Model, asked: Comparator) -> FittedComparator:
    """Make the days before its window that are out of date, and fit it on the rows that a training would learn then.

    Where a training has done so, its candidate is the comparator, and nothing is fitted.

    Raises:
        EmptyPartitionError: when no label was known by then.
        RecipeError: when its recipe is not declared any more, or the fit fails.
        Exception: what the fit raises, or what making the days does.
    """
    recipe = _recipe(runtime, model, asked)
    if trained := _trained(runtime, model, asked, recipe):
        return trained
    make_days(runtime, model, asked.start)
    rows = training_rows(model, as_of=asked.start, runtime=runtime)
    learnt = rows.gather_every(LIGHT_ROWS) if asked.recipe == LIGHT else rows
    if learnt.is_empty():
        raise EmptyPartitionError(f"no label was known by {asked.start:%Y-%m-%d}; wait for outcomes, or publish history")
    signature, began = Signature.of(model, recipe.trusted_types()), time.monotonic()
    content = _fitted(model, recipe, learnt, signature)
    return FittedComparator(
        model=model.name,
        cutoff=asked.start,
        recipe=recipe.name,
        config=recipe.parameters(),
        artifact=runtime.lake.put(content, signature.kind),
        signature=signature,
        rows=learnt.height,
        fit_seconds=time.monotonic() - began,
    )


def _recipe(runtime: Runtime, model: Model, asked: Comparator) -> Recipe:
    """The policy's own recipe, or that of the champion, with the settings that its search has found."""
    own = getattr(model.retraining, "comparator", None)
    if isinstance(own, Recipe) and own.name == asked.recipe:
        return own
    with runtime.engine.connect() as connection:
        champion = ledger.recorded(connection, model.name, asked.champion)
    if champion is None:
        raise LostVersionError(f"{model.name}: version {asked.champion} is not in the ledger, so its recipe is not known")
    made = manifests.get(runtime.lake, champion.manifest, Version).candidate
    recipe = next((each for each in model.candidates if each.name == made.name), None)
    if recipe is None:
        declared = ", ".join(each.name for each in model.candidates)
        raise RecipeError(
            f"{model.name}: version {asked.champion} was made by {made.name}, and the candidates are {declared} now; "
            "declare it again, or a comparator of the policy's own"
        )
    return recipe.with_params(made.searched["params"]) if isinstance(recipe, Search) and made.searched else recipe


def _trained(runtime: Runtime, model: Model, asked: Comparator, recipe: Recipe) -> FittedComparator | None:
    """The candidate of the newest training, where it is what a fit would be: of the same recipe and cutoff, begun anew."""
    try:
        trained, _ = manifests.newest(runtime, model, "trained_model", TrainedModel)
    except EmptyPartitionError:
        return None
    given = manifests.learnt(runtime.lake, trained)
    wanted = (recipe.name, recipe.parameters())
    made = next((each for each in trained.candidates if (each.name, each.config) == wanted), None)
    if given.cutoff != asked.start or asked.recipe == LIGHT or made is None or made.signature is None:
        return None
    if made.refused or made.parent is not None:
        return None
    return FittedComparator(
        model=model.name,
        cutoff=given.cutoff,
        recipe=made.name,
        config=made.config,
        artifact=made.artifact,
        signature=made.signature,
        rows=given.rows,
        fit_seconds=0.0,
    )


def _fitted(model: Model, recipe: Recipe, rows: "pl.DataFrame", signature: Signature) -> bytes:
    """What a fit on these rows exports, once it was seen to answer as the fit does."""
    with (
        tempfile.TemporaryDirectory(prefix="everfit-comparator-") as folder,
        FitPool([recipe], model.training, row_bytes=int(rows.estimated_size())) as fits,
    ):
        learnt, file = in_file(rows, Path(folder) / "rows.arrow")
        with fits.fitted(recipe, file, **fit_arguments(model)) as fitted:
            content, newest = fitted.export(), learnt.tail(COMPARED_ROWS)
            answers = open_scorer(content, signature).score(newest)
            spread = model.task.spread(learnt[LABEL].to_numpy())
            largest_difference(signature, newest, answers, fitted.predict(newest), spread)
    return content
