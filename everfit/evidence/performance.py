"""Performance: is the metric on the window's matured labels worse than the backtest promised?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from everfit.declaration import Model
from everfit.declaration.metrics import Metric
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE, WEIGHT
from everfit.declaration.tasks import Floats, Labels
from everfit.evaluation.intervals import are_alike, daily_losses, mean_of_days
from everfit.evidence import Evidence
from everfit.evidence.propensity import weighed

if TYPE_CHECKING:
    import polars as pl

TOLERANCE = 0.1  # of log loss, where the backtest has too few windows to know how much they vary
MIN_WINDOWS = 3
LEAST, MOST = 0.5, 3.0  # times that, whatever few windows say
CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True)
class Expectation:
    """The loss that a version's backtest promised, and the loss of each whole window of the backtest."""

    loss: float
    windows: Sequence[float] = ()

    def tolerance(self, metric: Metric) -> tuple[float, str]:
        """How much worse a window may be with nothing amiss, and what says so.

        It is the upper half of the 90 % prediction interval for the next of normally distributed windows: Student's t times
        their standard deviation times √(1 + 1/n). Of fewer than :data:`MIN_WINDOWS` it is 0.1 of log loss, or of another
        metric the same share of the promised loss as that is of a coin's log loss (14 %). Few windows are a poor estimate: the
        interval counts for no less than half of that, and for no more than three times.
        """
        from scipy.special import stdtrit

        number, usual = len(self.windows), TOLERANCE * metric.unit(self.loss)
        if number < MIN_WINDOWS:
            return usual, f"its {number} whole windows are too few to tell how much they vary"
        spread = float(np.std(self.windows, ddof=1))
        quantile = float(stdtrit(number - 1, (1 + CONFIDENCE) / 2))
        half_width = quantile * spread * math.sqrt(1 + 1 / number)
        return min(max(half_width, LEAST * usual), MOST * usual), f"its {number} windows vary by {spread:.3f}"


class Matured(NamedTuple):
    """Days[N], labels[N], answers[N] or [N, K], and how much each row counts, weights[N]; None where all count alike."""

    days: npt.NDArray[np.generic]
    labels: Labels
    answers: Floats
    weights: Floats | None = None


def matured(model: Model, rows: "pl.DataFrame", complete_at: datetime) -> Matured:
    """The rows whose outcome is known, and that are so old that a slow one would be known too.

    Args:
        model: the declaration, for its label delay.
        rows: of one version: EVENT_TIME, LABEL, SCORE, and EXPLORED where the model explores.
        complete_at: event time up to which outcomes were observed.

    Raises:
        DeclarationError: when ``seen`` of the model's exploration fails.
    """
    import polars as pl

    old_enough = pl.col(EVENT_TIME) <= complete_at - model.training.label_delay
    known = weighed(model, rows.filter(pl.col(LABEL).is_not_null(), old_enough))
    weights = known[WEIGHT].to_numpy() if WEIGHT in known.columns else None
    return Matured(known[EVENT_TIME].dt.date().to_numpy(), known[LABEL].to_numpy(), known[SCORE].to_numpy(), weights)


def judge_performance(
    metric: Metric,
    days: npt.NDArray[np.generic],
    labels: Labels,
    answers: Floats,
    *,
    expected: Expectation,
    min_rows: int,
    weights: Floats | None = None,
    confidence: float = CONFIDENCE,
) -> Evidence:
    """Judge one window: an alarm where even the interval's lower bound of the loss is worse than expected and tolerated.

    Args:
        metric: what the answers are judged by.
        days: days[N], the day of each row: rows of a day are no independent evidence.
        labels: labels[N] of the rows whose outcome is known.
        answers: answers[N] or [N, K] of the champion.
        expected: of the champion's own backtest.
        min_rows: fewer are no evidence.
        weights: weights[N], how much each row counts; by default all alike.
        confidence: of the two-sided interval.

    Raises:
        MetricError: when a function of the user's fails.
    """
    tolerance, because = expected.tolerance(metric)
    detail = {"metric": metric.name, "rows": len(labels), "expected": expected.loss, "tolerance": tolerance}
    if len(labels) < min_rows or len(np.unique(days)) < 2:
        reason = f"{len(labels)} matured labels of {len(np.unique(days))} days; {min_rows} of at least 2 days are needed"
        return Evidence(verdict="insufficient", reason=reason, detail=detail)
    losses = daily_losses(metric, days, labels, answers, weights=weights)
    found = mean_of_days(losses)
    lower, upper = found.lower((1 - confidence) / 2), found.upper((1 - confidence) / 2)
    if are_alike(losses):  # no interval, but each day is as bad as the others
        lower = upper = found.mean
    if not math.isfinite(lower):
        reason = f"{metric.title} has no interval on these {len(labels)} labels: too few days hold both outcomes"
        return Evidence(verdict="insufficient", reason=reason, detail=detail)
    return Evidence(
        verdict="alarm" if lower >= expected.loss + tolerance else "ok",
        statistic=lower,
        threshold=expected.loss + tolerance,
        reason=f"{_measured(metric, found.mean, lower, upper, confidence)}, on {len(labels)} labels"
        f"{'' if weights is None else ', each weighed by how probable it was to be seen'}; the backtest promised "
        f"{metric.shown(expected.loss):.3f}, {tolerance:.3g} {'less' if metric.higher_is_better else 'more'} are tolerated: "
        f"{because}",
        detail=detail | {"mean": found.mean, "lower": lower, "upper": upper},
    )


def _measured(metric: Metric, mean: float, lower: float, upper: float, confidence: float) -> str:
    """The metric with its interval as people know them."""
    low, high = sorted((metric.shown(lower), metric.shown(upper)))
    return f"{metric.title} {metric.shown(mean):.3f}, {confidence:.0%} interval [{low:.3f}, {high:.3f}]"
