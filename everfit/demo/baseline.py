"""The baseline: timers that retrain as often as everfit promoted, at equal intervals, fitted here in one process."""

from collections import Counter
from collections.abc import Iterator, Sequence
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

SHIFTS = (-0.375, -0.25, -0.125, 0.0, 0.125, 0.25, 0.375)  # of the timers, in periods


def timer(model: Model, start: datetime, end: datetime, recipes: Sequence[str]) -> Timer:
    """When timers retrain, and by which recipe: the one promoted most often, the earliest of several.

    One timer alone may meet good moments or bad ones by chance; what counts is the mean of several, shifted against each other.

    Args:
        model: the model whose span ``[start, end)`` was played.
        start: of the span.
        end: of the span.
        recipes: the candidate of every promotion, the first included, in order.
    """
    retrains = len(recipes) - 1
    period = (end - start) / (retrains + 1)
    shifted = [[start + period * (number + shift) for number in range(1, retrains + 1)] for shift in SHIFTS]
    recipe = Counter(recipes).most_common(1)[0][0]
    assert recipe in {candidate.name for candidate in model.candidates}, recipe
    return Timer(recipe, shifted if retrains else [[]])


def timer_scores(model: Model, plan: Timer, first: "pl.DataFrame", answered: "pl.DataFrame") -> "Iterator[pl.DataFrame]":
    """Each timer's answer to each request.

    Args:
        model: the declaration.
        plan: when to retrain, and by which recipe.
        first: the rows that version 1 was trained on: EVENT_TIME, the features, LABEL and OBSERVED_AT.
        answered: the requests of the span in event order: REQUEST_ID, EVENT_TIME, the features, LABEL (null where it was
            never observed), OBSERVED_AT, and STATIC, version 1's score.

    Yields:
        REQUEST_ID and TIMER, a row a request, of one timer after the other.
    """
    import polars as pl

    columns = [EVENT_TIME, OBSERVED_AT, LABEL, *(name for name, _ in model.features)]
    labelled = pl.concat([first.select(columns), answered.filter(pl.col(LABEL).is_not_null()).select(columns)])
    recipe = next(candidate for candidate in model.candidates if candidate.name == plan.recipe)
    for cutoffs in plan.cutoffs:
        edges = [*cutoffs, ALWAYS]
        parts = [answered.filter(pl.col(EVENT_TIME) < edges[0]).select(REQUEST_ID, pl.col(STATIC).alias(TIMER))]
        for cutoff, until in pairwise(edges):
            requests = answered.filter(pl.col(EVENT_TIME).is_between(cutoff, until, closed="left"))
            if requests.height:
                known = labelled.filter(pl.col(OBSERVED_AT) <= cutoff)
                parts.append(_fitted_scores(model, recipe, known, requests))
        yield pl.concat(parts)


def _fitted_scores(model: Model, recipe: Recipe, labelled: "pl.DataFrame", requests: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    from everfit.features.column_types import answer_type
    from everfit.training.recipe_fit import fit_candidate

    fitted = fit_candidate(model, recipe, labelled)
    return requests.select(REQUEST_ID, pl.Series(TIMER, fitted.predict(requests), dtype=answer_type(model.task)))
