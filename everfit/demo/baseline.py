"""The timer: version 1, then retrained as often as was promoted, at equal distances, fitted here in one process."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from everfit.declaration import Candidate, Model
from everfit.demo.result import Timer
from everfit.workflow.days import ALWAYS

if TYPE_CHECKING:
    import polars as pl


def timer(model: Model, start: datetime, end: datetime, recipes: Sequence[str]) -> Timer:
    """When the timer retrains, and by which recipe: the one promoted most often, the earliest where several were.

    Args:
        model: whose span ``[start, end)`` was played.
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
    """What the timer would have answered to each request.

    Args:
        model: the declaration.
        plan: when to retrain, and by which recipe.
        first: the rows that version 1 was trained on: event_time, the features, the label and observed_at.
        answered: the requests of the span in event order: request_id, event_time, the features, the label (null where it was
            never known), observed_at, and ``static``, version 1's score.

    Returns:
        request_id and ``timer``, a row a request.
    """
    import polars as pl

    columns = ["event_time", "observed_at", model.label, *(name for name, _ in model.features)]
    known = pl.concat([first.select(columns), answered.filter(pl.col(model.label).is_not_null()).select(columns)])
    recipe = next(candidate for candidate in model.candidates if candidate.name == plan.recipe)
    edges = [*plan.cutoffs, ALWAYS]
    parts = [answered.filter(pl.col("event_time") < edges[0]).select("request_id", timer=pl.col("static"))]
    for cutoff, until in pairwise(edges):
        asked = answered.filter(pl.col("event_time").is_between(cutoff, until, closed="left"))
        parts.append(_fitted_scores(model, recipe, known.filter(pl.col("observed_at") <= cutoff), asked))
    return pl.concat(parts)


def _fitted_scores(model: Model, recipe: Candidate, known: "pl.DataFrame", asked: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    from everfit.training.trainers import fit

    fitted = fit(recipe, known, features=model.features, label=model.label)
    return asked.select("request_id", pl.Series("timer", fitted.predict(asked), dtype=pl.Float64))
