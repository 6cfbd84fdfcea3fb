"""Score a recipe on rolling origins: each fold by a fit on what was known when it began."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME
from everfit.errors import FeatureError
from everfit.evaluation.folds import Fold
from everfit.features.column_types import answer_type
from everfit.pipeline.training_set import known_by
from everfit.pipeline.unfinished_training import UnfinishedTraining
from everfit.training.arrays import Floats
from everfit.training.fit_place import FitPlace

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Backtest:
    """The folds' rows with the recipe's score as CANDIDATE, and the folds that were left out, by their first day, and why."""

    rows: "pl.DataFrame"
    left_out: dict[str, str]


def backtest(
    model: Model, recipe: Recipe, rows: "pl.DataFrame", origins: Sequence[Fold], kept: UnfinishedTraining | None = None
) -> Backtest:
    """Score the folds, each by a fit on what was known when it began; one whose data allow no fit is left out.

    Where fewer than ``gate.min_unseen_days`` of days are left, there is nothing to judge by, and no row. A fold that an earlier
    attempt scored, as far as it is ``kept``, is not fitted again.
    """
    import polars as pl

    none = rows.clear().with_columns(pl.Series(CANDIDATE, [], dtype=answer_type(model.task)))
    parts, left_out, judged = [none], {}, timedelta()
    for origin in origins:
        day = f"{origin.start:%Y-%m-%d}"
        known = rows.filter(*known_by(model, origin.start))
        fold = rows.filter(pl.col(EVENT_TIME).is_between(origin.start, origin.end, closed="left"))
        try:
            answers = _answers(model, recipe, known, fold, kept.fit(recipe, day) if kept else None)
        except FeatureError as error:
            left_out[day] = str(error)
            continue
        judged += origin.end - origin.start
        parts.append(fold.with_columns(pl.Series(CANDIDATE, answers, dtype=answer_type(model.task))))
    enough = judged >= timedelta(days=model.gate.min_unseen_days)
    return Backtest(pl.concat(parts) if enough else none, left_out)


def _answers(model: Model, recipe: Recipe, known: "pl.DataFrame", fold: "pl.DataFrame", place: FitPlace | None) -> Floats:
    """The answers to a fold's rows, by a fit on what was known, or by the one of an earlier attempt.

    Raises:
        FeatureError: when there is nothing to learn from, or nothing to judge.
    """
    from everfit.training.recipe_fit import fit_candidate

    if known.is_empty() or fold.is_empty():
        raise FeatureError("no labelled row before it" if known.is_empty() else "no labelled row in it")
    answers = place.kept_answers() if place else None
    if answers is None:
        answers = fit_candidate(model, recipe, known, place).predict(fold)
        if place:
            place.keep_answers(answers)
    return answers
