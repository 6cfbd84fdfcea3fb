"""A search for a recipe's settings by Optuna; each trial, judged fold by fold, follows from those before it and the seed."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from everfit.declaration.recipes import Recipe
from everfit.errors import EverfitError, FeatureError, RecipeError
from everfit.training.search_progress import Progress, Trial
from everfit.training.search_space import Space, decoded, distributions, encoded

if TYPE_CHECKING:
    import optuna

    from everfit.training.searching import Search

NEVER_PRUNED = 3  # trials at the beginning: with fewer there is no median worth the name

Fold = Callable[[Recipe], float]
"""Fit a recipe on what was known when the fold began; returns its loss on the fold's rows, NaN where they say nothing."""


def best_of(
    search: "Search",
    folds: Sequence[Fold],
    progress: Progress,
    *,
    first: Mapping[str, Any] | None = None,
    tell: Callable[[int, Trial], None] = lambda _number, _trial: None,
) -> Trial:
    """The best trial. A search that was killed goes on after its last whole trial; one that has ended is not run again.

    Args:
        search: what is searched for.
        folds: what each trial is judged on, in order of time.
        progress: the trials so far; each further one is kept in it.
        first: settings that are tried first, as far as they lie in the space.
        tell: gets each new trial and its number.

    Raises:
        RecipeError: when every trial fails; the message has the last reason.
    """
    while not _over(search, progress):
        with progress.trial() as keep:
            trial = _next(search, progress.trials, folds, first)
            keep(trial)
        tell(len(progress.trials) - 1, trial)
    complete = [trial for trial in progress.trials if trial.state == "complete"]
    if not complete:
        count, reason = len(progress.trials), progress.trials[-1].reason
        raise RecipeError(f"recipe {search.name}: no trial of {count} could be judged; the last: {reason}")
    return min(complete, key=lambda trial: trial.loss)


def _over(search: "Search", progress: Progress) -> bool:
    late = search.within is not None and progress.seconds >= search.within.total_seconds()
    return len(progress.trials) >= search.trials or (late and bool(progress.trials))


def _next(search: "Search", past: Sequence[Trial], folds: Sequence[Fold], first: Mapping[str, Any] | None) -> Trial:
    """The trial that follows from those before and the seed, whichever process made them."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = distributions(search.over)
    sampler = optuna.samplers.TPESampler(seed=search.seed + len(past))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=NEVER_PRUNED)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.add_trials([_frozen(search.over, space, trial) for trial in past])
    if first and not past:
        study.enqueue_trial(encoded(search.over, first))
    asked = study.ask(space)
    params = decoded(search.over, asked.params)
    losses: list[float] = []
    try:
        return _judged(search.with_params(params), params, folds, losses, asked)
    except (MemoryError, OSError):
        raise  # of the machine: the run is tried again
    except Exception as error:  # noqa: BLE001 - a recipe may raise anything; the search goes on
        told = str(error) if isinstance(error, EverfitError) else f"{type(error).__name__}: {error}"
        return Trial(params, losses, "failed", told)


def _judged(recipe: Recipe, params: dict[str, Any], folds: Sequence[Fold], losses: list[float], asked: "optuna.Trial") -> Trial:
    """The trial, whose losses are added one by one; a fold whose data allow no fit or no judgement is left out."""
    reason = "the metric is defined on no fold"
    for number, fold in enumerate(folds, 1):
        try:
            loss = fold(recipe)
        except FeatureError as error:
            reason = str(error)
            continue
        if math.isnan(loss):
            continue
        losses.append(loss)
        asked.report(sum(losses) / len(losses), len(losses))
        if number < len(folds) and asked.should_prune():
            return Trial(params, losses, "pruned", f"worse than the median after {number} of {len(folds)} folds")
    return Trial(params, losses, "complete") if losses else Trial(params, losses, "failed", reason)


def _frozen(over: Space, space: Mapping[str, Any], trial: Trial) -> "optuna.trial.FrozenTrial":
    import optuna

    states = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    means = {count: sum(trial.losses[:count]) / count for count in range(1, len(trial.losses) + 1)}
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[states[trial.state]],
        value=trial.loss if trial.state == "complete" else None,
        params=encoded(over, trial.params),
        distributions=dict(space),
        intermediate_values=means,
    )
