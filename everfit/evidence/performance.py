"""Performance: is the metric on matured labels worse than promised, in this window or since an earlier one?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from everfit.declaration import Model
from everfit.declaration.metrics import Metric
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE, WEIGHT
from everfit.declaration.tasks import Floats, Labels
from everfit.evaluation.intervals import are_alike, daily_losses
from everfit.evaluation.sequence import FEWEST_DAYS
from everfit.evidence import Evidence
from everfit.evidence.loss_sequences import MOST_ERROR, Harm, worst
from everfit.evidence.propensity import weighed

if TYPE_CHECKING:
    import polars as pl

TOLERANCE = 0.1  # of log loss, where the backtest has too few windows to know how much they vary
MIN_WINDOWS = 3
LEAST, MOST = 0.5, 3.0  # times that, whatever few windows say
CONFIDENCE = 0.9  # of the promise
DAILY = "daily"  # in the detail: the daily losses of the window, for the sequences of later ones


@dataclass(frozen=True, slots=True)
class Expectation:
    """The loss that a version's backtest promised, and the loss of each whole window of the backtest."""

    loss: float
    windows: Sequence[float] = ()

    def tolerance(self, metric: Metric) -> tuple[float, str]:
        """How much worse the loss may be with nothing amiss, and what says so.

        It is the upper half of the 90 % interval of the promise itself, the mean of normally distributed windows: Student's t
        times their standard deviation over √n. Of fewer than :data:`MIN_WINDOWS` it is 0.1 of log loss, or of another
        metric the same share of the promised loss as that is of a coin's log loss (14 %). Few windows are a poor estimate: the
        interval counts for no less than half of that, and for no more than three times.
        """
        from scipy.special import stdtrit

        number, usual = len(self.windows), TOLERANCE * metric.unit(self.loss)
        if number < MIN_WINDOWS:
            return usual, f"its {number} whole windows are too few to tell how much they vary"
        spread = float(np.std(self.windows, ddof=1))
        quantile = float(stdtrit(number - 1, (1 + CONFIDENCE) / 2))
        half_width = quantile * spread / math.sqrt(number)
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
    earlier: Sequence[Sequence[float]] = (),
    error: float = MOST_ERROR,
) -> Evidence:
    """Judge one window: an alarm where the daily loss, since it or an earlier window, is surely worse than promised.

    Args:
        metric: what the answers are judged by.
        days: days[N], the day of each row: rows of a day are no independent evidence.
        labels: labels[N] of the rows whose outcome is known.
        answers: answers[N] or [N, K] of the champion.
        expected: of the champion's own backtest.
        min_rows: fewer are no evidence.
        weights: weights[N], how much each row counts; by default all alike.
        earlier: daily losses of the version's earlier windows, the oldest first.
        error: probability of a false alarm, ever, of the sequence that begins with this window.

    Raises:
        MetricError: when a function of the user's fails.
    """
    tolerance, because = expected.tolerance(metric)
    detail: dict[str, Any] = {"metric": metric.name, "rows": len(labels), "expected": expected.loss, "tolerance": tolerance}
    if len(labels) < min_rows:
        return _insufficient(f"{len(labels)} matured labels; {min_rows} are needed", detail)
    losses = daily_losses(metric, days, labels, answers, weights=weights)
    detail |= {DAILY: [value for value in losses.tolist() if math.isfinite(value)], "mean": metric.loss(labels, answers)}
    if weights is not None and np.isfinite(losses).all():
        detail["mean"] = float(losses.mean())
    if not np.isfinite(losses).all() or not math.isfinite(detail["mean"]):
        reason = f"{metric.title} has no interval on these {len(labels)} labels: too few days hold both outcomes"
        return _insufficient(reason, {name: value for name, value in detail.items() if name not in (DAILY, "mean")})
    return _judged(metric, detail, [np.array(window) for window in [*earlier, losses]], expected, because, weights, error)


def _judged(
    metric: Metric,
    detail: dict[str, Any],
    windows: Sequence[Floats],
    expected: Expectation,
    because: str,
    weights: Floats | None,
    error: float,
) -> Evidence:
    """By the sequences of the windows' daily losses."""
    days, limit = sum(map(len, windows)), expected.loss + detail["tolerance"]
    if days < FEWEST_DAYS:
        return _insufficient(f"matured labels of {days} days so far; {FEWEST_DAYS} are needed", detail)
    harm = worst(windows, error)
    if are_alike(windows[-1]) and len(windows[-1]) >= FEWEST_DAYS:  # no interval, but each day is as bad as the others
        harm = max(harm, Harm(float(windows[-1].mean()), float(windows[-1].mean()), len(windows[-1])))
    if not math.isfinite(harm.lower):
        return _insufficient(f"{metric.title} has no bound on {days} days that do not differ", detail)
    weighed_by = "" if weights is None else ", each weighed by how probable it was to be seen"
    direction = "less" if metric.higher_is_better else "more"
    bound = f"{'at most' if metric.higher_is_better else 'at least'} {metric.shown(harm.lower):.3f} over {harm.days} days"
    promised = f"the backtest promised {metric.shown(expected.loss):.3f}, {detail['tolerance']:.3g} {direction} are tolerated"
    return Evidence(
        verdict="alarm" if harm.lower >= limit else "ok",
        statistic=harm.lower,
        threshold=limit,
        reason=f"{metric.title} {metric.shown(detail['mean']):.3f} on {detail['rows']} labels{weighed_by}, {bound}; "
        f"{promised}: {because}",
        detail=detail | {"lower": harm.lower, "days": harm.days},
    )


def _insufficient(reason: str, detail: dict[str, Any]) -> Evidence:
    return Evidence(verdict="insufficient", reason=reason, detail=detail)
