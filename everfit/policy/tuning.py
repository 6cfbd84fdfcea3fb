"""What cost to declare: read off from how fast models aged before the go-live, where nothing later is known."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import numpy as np

from everfit.policy.cost import MONTH
from everfit.policy.losses import WEEK, Losses
from everfit.policy.stakes import stakes

COSTS = np.geomspace(0.002, 4, 80)  # as shares of the loss of the newest models, times a week
KEPT = 0.9  # of the most that a cost keeps: what is proposed where no number is asked for
YEAR = timedelta(days=365) / WEEK  # in weeks


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What a cost leads to: retrainings a year, and the share kept of the gain of a new model every window.

    ``units`` are of the metric times weeks, ``cost`` is the same as a declaration says it.
    """

    cost: str
    units: float
    per_year: float
    kept: float


def rates(losses: Losses) -> list[Rate]:
    """For each of eighty costs, from every start within the span.

    A model is watched from each window on until its stakes reach the cost or the span ends: the rate is how often that
    happened in all the time that was watched (the estimator of a constant hazard under censoring). What is kept of the gain is
    that of following each such chain to the end, against never and always retraining, added up over the starts.
    """
    at_stake = [_at_stake(losses, model) for model in range(losses.windows)]
    usual = float(np.nanmean([losses.due_mean(window, window) for window in range(losses.windows)]))
    found = []
    for cost in COSTS * usual:
        reached = [next((n for n, mean in enumerate(each, 1) if mean >= cost), 0) for each in at_stake]
        watched = sum(number or len(each) for number, each in zip(reached, at_stake, strict=True)) * losses.weeks
        often = sum(map(bool, reached)) / watched * YEAR
        percent = np.format_float_positional(100 * cost / (MONTH / WEEK * usual), precision=2, fractional=False, trim="-")
        found.append(
            Rate(cost=f"{percent} % of the metric for a month", units=float(cost), per_year=often, kept=_kept(losses, reached))
        )
    return found


def proposed(found: Sequence[Rate], per_year: float | None) -> Rate:
    """The cost that leads to about so many retrainings a year; else the largest that keeps nine tenths of what any keeps."""
    if per_year is not None:
        return min(found, key=lambda rate: abs(np.log((rate.per_year + 0.01) / (per_year + 0.01))))
    least = KEPT * max(rate.kept for rate in found)
    return max((rate for rate in found if rate.kept >= least), key=lambda rate: rate.units)


def _at_stake(losses: Losses, model: int) -> list[float]:
    """After each window that can be scored, what is at stake where the model stays."""
    gaps, found = list[tuple[float, float]](), list[float]()
    for window in range(model, losses.windows - losses.lag):
        gap = losses.due_mean(model, window) - losses.due_mean(window, window)
        gaps += [] if np.isnan(gap) else [(losses.weeks, gap)]
        found.append(stakes(gaps).mean)
    return found


def _kept(losses: Losses, reached: Sequence[int]) -> float:
    """Of the gain of a new model every window, from every start to the end."""
    gained = greatest = 0.0
    for first in range(losses.windows):
        span, serving, windows = losses.cut(first), [0], losses.windows - first
        while len(serving) < windows:
            model, age = serving[-1], len(serving) - serving[-1]
            waited = reached[first + model]
            serving.append(len(serving) if waited and age >= waited + losses.lag else model)
        rows = span.rows.sum()
        gained += (span.mean([0]) - span.mean_of(serving)) * rows
        greatest += (span.mean([0]) - span.weekly) * rows
    return float(gained / greatest) if greatest > 0 else 1.0
