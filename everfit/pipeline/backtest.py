"""Score a recipe on rolling origins: each fold by a fit on what was known when it began."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import CANDIDATE, LABEL
from everfit.errors import FeatureError
from everfit.features.column_types import answer_type
from everfit.pipeline.fit_rows import FoldRows
from everfit.pipeline.unfinished_training import UnfinishedTraining
from everfit.training.fit_pool import FitPool

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Backtest:
    """The folds' rows with the recipe's score as CANDIDATE, and the folds that were left out, by their first day, and why."""

    rows: "pl.DataFrame"
    left_out: dict[str, str]


def backtest(
    model: Model,
    recipe: Recipe,
    rows: "pl.DataFrame",
    folds: Sequence[FoldRows],
    fits: FitPool,
    kept: UnfinishedTraining | None = None,
) -> Backtest:
    """Score the folds, each by a fit of its own, side by side; one whose data allow no fit is left out.

    A fold that an earlier attempt scored, as far as it is ``kept``, is not fitted again.
    """
    import polars as pl

    with ThreadPoolExecutor(max(1, len(folds))) as side_by_side:
        scored = [*side_by_side.map(partial(_score, model, recipe, fits, kept), folds)]
    parts, left_out = [], {}
    for fold, outcome in zip(folds, scored, strict=True):
        if isinstance(outcome, str):
            left_out[_day(fold)] = outcome
        else:
            parts.append(outcome)
    none = rows.clear().with_columns(pl.Series(CANDIDATE, [], dtype=answer_type(model.task)))
    return Backtest(pl.concat([none, *parts]), left_out)


def _score(
    model: Model, recipe: Recipe, fits: FitPool, kept: UnfinishedTraining | None, fold: FoldRows
) -> "pl.DataFrame | str":
    """The fold's rows with the recipe's score; why not, where there is nothing to learn from, or nothing to judge."""
    import polars as pl

    if fold.flaw:
        return fold.flaw
    place = kept.fit(recipe, _day(fold)) if kept else None
    answers = place.kept_answers() if place else None
    if answers is None:
        try:
            with fits.fitted(recipe, fold.known, place=place, **fit_arguments(model)) as fitted:
                answers = fitted.predict(fold.scored)
        except FeatureError as error:
            return str(error)
        if place:
            place.keep_answers(answers)
    return fold.scored.with_columns(pl.Series(CANDIDATE, answers, dtype=answer_type(model.task)))


def _day(fold: FoldRows) -> str:
    return f"{fold.origin.start:%Y-%m-%d}"


def fit_arguments(model: Model) -> dict[str, Any]:
    """What a fit is given of the declaration."""
    return {"task": model.task, "features": model.features, "label": LABEL, "weights": model.weights}
