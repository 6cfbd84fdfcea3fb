"""Losses of models on days, made up."""

from datetime import UTC, datetime, timedelta

import numpy as np

from everfit.policy.losses import Losses

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


def ageing(windows: int = 10, *, days: int = 66, lag: int = 0) -> Losses:
    """Models that lose 0.02 more with each day, on days that differ, drawn with a fixed seed; the last window is cut short."""
    rng = np.random.default_rng(7)
    length = windows * 7
    rows, sums = rng.integers(5, 15, length).astype(float), np.full((windows, length), np.nan)
    for model in range(windows):
        age = np.arange(length - 7 * model)
        sums[model, 7 * model :] = (1 + 0.02 * age + 0.3 * rng.random(len(age))) * rows[7 * model :]
    return Losses(START, WEEK, lag, sums, rows, sums, rows, np.full(windows, 2.0)).cut(0, days)


def by_hand(lag: int = 0) -> Losses:
    """Three windows of two days, two rows a day, of which the second comes due too late to be seen."""
    sums = np.array([[1, 1, 2, 4, 5, 9], [0, 0, 1, 2, 3, 5], [0, 0, 0, 0, 1, 2]], dtype=float)
    seen = np.array([1, 0, 1, 0, 1, 0], dtype=float)
    return Losses(
        START, timedelta(days=2), lag, 2 * sums, np.full(6, 2.0), 2 * sums * seen, 2 * seen, np.array([1.0, 2.0, 3.0])
    )
