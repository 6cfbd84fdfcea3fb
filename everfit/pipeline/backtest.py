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

if TYPE_CHECKING:
    import polars as pl

    from everfit.declaration.recipes import Fitted


@dataclass(frozen=True, slots=True)
class Backtest:
    """The folds' rows with the recipe's score as CANDIDATE, and the folds that were left out, by their first day, and why."""

    rows: "pl.DataFrame"
    left_out: dict[str, str]


def backtest(model: Model, recipe: Recipe, rows: "pl.DataFrame", origins: Sequence[Fold]) -> Backtest:
    """Score the folds, each by a fit on what was known when it began; one whose data allow no fit is left out.

    Where fewer than ``gate.min_unseen_days`` of days are left, there is nothing to judge by, and no row.
    """
    import polars as pl

    none = rows.clear().with_columns(pl.Series(CANDIDATE, [], dtype=answer_type(model.task)))
    parts, left_out, judged = [none], {}, timedelta()
    for origin in origins:
        known = rows.filter(*known_by(model, origin.start))
        fold = rows.filter(pl.col(EVENT_TIME).is_between(origin.start, origin.end, closed="left"))
        try:
            fitted = _fit(model, recipe, known, fold)
        except FeatureError as error:
            left_out[f"{origin.start:%Y-%m-%d}"] = str(error)
            continue
        judged += origin.end - origin.start
        parts.append(fold.with_columns(pl.Series(CANDIDATE, fitted.predict(fold), dtype=answer_type(model.task))))
    enough = judged >= timedelta(days=model.gate.min_unseen_days)
    return Backtest(pl.concat(parts) if enough else none, left_out)


def _fit(model: Model, recipe: Recipe, known: "pl.DataFrame", fold: "pl.DataFrame") -> "Fitted":
    """A fit for a fold.

    Raises:
        FeatureError: when there is nothing to learn from, or nothing to judge.
    """
    from everfit.training.recipe_fit import fit_candidate

    if known.is_empty() or fold.is_empty():
        raise FeatureError("no labelled row before it" if known.is_empty() else "no labelled row in it")
    return fit_candidate(model, recipe, known)
