"""The baseline: a timer that retrains as often as everfit promoted, at equal intervals, fitted here in one process."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID, STATIC, TIMER
from everfit.demo.result import Timer
from everfit.pipeline.daily_partitions import ALWAYS

if TYPE_CHECKING:
    import polars as pl


def timer(model: Model, start: datetime, end: datetime, recipes: Sequence[str]) -> Timer:
    """When the timer retrains, and by which recipe: the one promoted most often, the earliest of several.

    Args:
        model: the model whose span ``[start, end)`` was played.
        start: of the span.
        end: of the span.
        recipes: the candidate of every promotion, the first included, in order.
    """
    retrains = len(recipes) - 1
    cutoffs = [start + (end - start) * i / (retrains + 1) for i in range(1, retrains + 1)]
    recipe = Counter(recipes).most_common(1)[0][0]
    assert recipe in {candidate.name for candidate in model.candidates}, recipe
    return Timer(recipe, cutoffs)


def timer_scores(model: Model, plan: Timer, first: "pl.DataFrame", answered: "pl.DataFrame") -> "pl.DataFrame":
    """The timer's answer to each request.

    Args:
        model: the declaration.
        plan: when to retrain, and by which recipe.
        first: the rows that version 1 was trained on: EVENT_TIME, the features, LABEL and OBSERVED_AT.
        answered: the requests of the span in event order: REQUEST_ID, EVENT_TIME, the features, LABEL (null where it was
            never observed), OBSERVED_AT, and STATIC, version 1's score.

    Returns:
        REQUEST_ID and TIMER, a row a request.
    """
    import polars as pl

    columns = [EVENT_TIME, OBSERVED_AT, LABEL, *(name for name, _ in model.features)]
    labelled = pl.concat([first.select(columns), answered.filter(pl.col(LABEL).is_not_null()).select(columns)])
    recipe = next(candidate for candidate in model.candidates if candidate.name == plan.recipe)
    edges = [*plan.cutoffs, ALWAYS]
    parts = [answered.filter(pl.col(EVENT_TIME) < edges[0]).select(REQUEST_ID, pl.col(STATIC).alias(TIMER))]
    for cutoff, until in pairwise(edges):
        requests = answered.filter(pl.col(EVENT_TIME).is_between(cutoff, until, closed="left"))
        if requests.height:
            parts.append(_fitted_scores(model, recipe, labelled.filter(pl.col(OBSERVED_AT) <= cutoff), requests))
    return pl.concat(parts)


def _fitted_scores(model: Model, recipe: Recipe, labelled: "pl.DataFrame", requests: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    from everfit.features.column_types import answer_type
    from everfit.training.recipe_fit import fit_candidate

    fitted = fit_candidate(model, recipe, labelled)
    return requests.select(REQUEST_ID, pl.Series(TIMER, fitted.predict(requests), dtype=answer_type(model.task)))
