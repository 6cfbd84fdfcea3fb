"""A declared search within a training: done once, on rows that were known before the gate's days, kept, and not repeated."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import LABEL
from everfit.evaluation.folds import Fold
from everfit.pipeline.manifests import TrainingSet, Version
from everfit.pipeline.trackers import Tracker
from everfit.pipeline.training_set import known_by
from everfit.runtime import Runtime
from everfit.training.searching import Search

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.search_progress import Trial


def settled(
    runtime: Runtime,
    model: Model,
    search: Search,
    rows: "pl.DataFrame",
    origins: Sequence[Fold],
    given: TrainingSet,
    champion: Version | None,
    tracker: Tracker,
) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with the settings that were found, and what the manifest keeps of the search.

    The trials are in a file beside the lake's objects, named by what they rest on: a search that was killed goes on there, and
    a training on the same data fits with what was found.

    Raises:
        FeatureError: when too few rows were known before the gate's days.
        RecipeError: when no trial could be judged.
    """
    from everfit.training.search import best_of
    from everfit.training.search_folds import rolling
    from everfit.training.search_progress import Progress

    until = origins[0].start if origins else given.cutoff
    parts = rolling(rows.filter(*known_by(model, until)), partial(known_by, model))
    progress = Progress.of(runtime.lake.root / "searches" / f"{_key(search, given, until)}.json")
    best = best_of(
        search,
        [partial(_loss, model, *part) for part in parts],
        progress,
        first=_found(search, champion),
        tell=partial(_tell, tracker, search, model),
    )
    loss = model.metric.shown(best.loss)
    tracker.log_params({f"{search.name}.found.{name}": value for name, value in best.params.items()})
    tracker.log_metrics({f"{search.name}.trials": len(progress.trials), f"{search.name}.search.{model.metric.name}": loss})
    return search.with_params(best.params), {"trials": len(progress.trials), "params": best.params, model.metric.name: loss}


def _loss(model: Model, known: "pl.DataFrame", judged: "pl.DataFrame", recipe: Recipe) -> float:
    """The metric's loss on a fold, by a fit on what was known when it began."""
    from everfit.training.recipe_fit import fit_candidate

    answers = fit_candidate(model, recipe, known).predict(judged)
    return model.metric.loss(judged[LABEL].to_numpy(), answers)


def _tell(tracker: Tracker, search: Search, model: Model, number: int, trial: "Trial") -> None:
    figures = {model.metric.name: model.metric.shown(trial.loss)} if trial.losses else {}
    tracker.log_trial(f"{search.name} trial {number}: {trial.state}", trial.params, figures)


def _found(search: Search, champion: Version | None) -> dict[str, Any] | None:
    """The champion's settings, where this search has found them."""
    if champion is None or champion.candidate.name != search.name:
        return None
    return champion.candidate.searched.get("params")


def _key(search: Search, given: TrainingSet, until: datetime) -> str:
    rests_on = [search.parameters(), given.rows_hash, given.code_version, until.isoformat()]
    return hashlib.sha256(json.dumps(rests_on).encode()).hexdigest()
