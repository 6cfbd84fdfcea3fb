"""Performance: is the loss on the window's matured labels worse than the backtest promised?"""

import math
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE
from everfit.declaration.tasks import Floats, Labels, Task
from everfit.evaluation.comparison import mean_interval
from everfit.evidence import Evidence

if TYPE_CHECKING:
    import polars as pl

TOLERANCE = 0.1  # of the loss: weeks differ by this much with nothing amiss, as the backtest's own weeks do
CONFIDENCE = 0.9


def matured(model: Model, rows: "pl.DataFrame", complete_at: datetime) -> "tuple[npt.NDArray[np.generic], Labels, Floats]":
    """Days, labels and answers of the rows whose outcome is known, and that are so old that a slow one would be known too.

    Args:
        model: the declaration, for its label delay.
        rows: of one version: EVENT_TIME, LABEL and SCORE.
        complete_at: event time up to which outcomes were observed.
    """
    import polars as pl

    old_enough = pl.col(EVENT_TIME) <= complete_at - model.training.label_delay
    known = rows.filter(pl.col(LABEL).is_not_null(), old_enough)
    return known[EVENT_TIME].dt.date().to_numpy(), known[LABEL].to_numpy(), known[SCORE].to_numpy()


def judge_performance(
    task: Task,
    days: npt.NDArray[np.generic],
    labels: Labels,
    answers: Floats,
    *,
    expected: float,
    min_rows: int,
    tolerance: float = TOLERANCE,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Evidence:
    """Judge one window: an alarm where even the interval's lower bound is ``tolerance`` above what was expected.

    Args:
        task: what is predicted.
        days: days[N], the day of each row: days are resampled whole.
        labels: labels[N] of the rows whose outcome is known.
        answers: answers[N] of the champion.
        expected: mean loss of the champion's own backtest.
        min_rows: fewer are no evidence.
        tolerance: how much worse than expected is still nothing to act on.
        confidence: of the two-sided interval.
        seed: of the resampling.
    """
    detail = {"rows": len(labels), "expected": expected, "tolerance": tolerance}
    if len(labels) < min_rows or len(np.unique(days)) < 2:
        reason = f"{len(labels)} matured labels of {len(np.unique(days))} days; {min_rows} of at least 2 days are needed"
        return Evidence(verdict="insufficient", reason=reason, detail=detail)
    mean, lower, upper = mean_interval(days, task.losses(labels, answers), confidence=confidence, seed=seed)
    assert math.isfinite(lower), "two days or more have an interval"
    return Evidence(
        verdict="alarm" if lower >= expected + tolerance else "ok",
        statistic=lower,
        threshold=expected + tolerance,
        reason=f"{task.loss_name} {mean:.3f}, {confidence:.0%} interval [{lower:.3f}, {upper:.3f}], "
        f"on {len(labels)} labels; the backtest promised {expected:.3f}, {tolerance:g} more are tolerated",
        detail=detail | {"mean": mean, "lower": lower, "upper": upper},
    )
