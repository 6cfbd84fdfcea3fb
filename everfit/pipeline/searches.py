"""A declared search within a training: done once, on rows that were known before the gate's days, kept, and not repeated."""

import hashlib
import json
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import LABEL
from everfit.evidence.propensity import drawn_by_chance
from everfit.pipeline.backtest import fit_arguments
from everfit.pipeline.fit_rows import FitRows
from everfit.pipeline.manifests import TrainingSet, Version
from everfit.pipeline.trackers import Tracker
from everfit.pipeline.training_set import known_by
from everfit.runtime import Runtime
from everfit.training.fit_pool import FitPool
from everfit.training.searching import Search

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.search_progress import Trial


def settled(
    runtime: Runtime,
    model: Model,
    search: Search,
    given: FitRows,
    fits: FitPool,
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

    until = given.folds[0].origin.start if given.folds else given.training_set.cutoff
    parts = rolling(given.rows.filter(*known_by(model, until)), partial(known_by, model))
    parts = [(known, drawn_by_chance(model, judged)) for known, judged in parts]
    files = [given.file.with_name(f"{search.name}-{number}.arrow") for number, _ in enumerate(parts)]
    for file, (known, _) in zip(files, parts, strict=True):
        known.write_ipc(file)
    progress = Progress.of(runtime.lake.root / "searches" / f"{_key(search, given.training_set, until)}.json")
    best = best_of(
        search,
        [partial(trial_loss, model, fits, file, judged) for file, (_, judged) in zip(files, parts, strict=True)],
        progress,
        first=_found(search, champion),
        tell=partial(_tell, tracker, search, model),
    )
    loss = model.metric.shown(best.loss)
    tracker.log_params({f"{search.name}.found.{name}": value for name, value in best.params.items()})
    tracker.log_metrics({f"{search.name}.trials": len(progress.trials), f"{search.name}.search.{model.metric.name}": loss})
    return search.with_params(best.params), {"trials": len(progress.trials), "params": best.params, model.metric.name: loss}


def trial_loss(model: Model, fits: FitPool, known: Path, judged: "pl.DataFrame", recipe: Recipe) -> float:
    """The metric's loss on a fold, by a fit on what was known when it began."""
    with fits.fitted(recipe, known, **fit_arguments(model)) as fitted:
        return model.metric.loss(judged[LABEL].to_numpy(), fitted.predict(judged))


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
