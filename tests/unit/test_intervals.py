"""Intervals from few days hold what they say: misses a side over simulated days, even where a day is like the one before."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from everfit import BinaryClassification
from everfit.declaration.metrics import OwnLoss
from everfit.evaluation.intervals import daily_losses, mean_of_days

Values = npt.NDArray[np.float64]
LOG_LOSS = OwnLoss.of(BinaryClassification(label="up"))


def days_in_a_row(draws: int, days: int, alike: float) -> Values:
    """Autoregressions of the first order about 0, values[draws, days]."""
    shocks = np.random.default_rng(days).normal(size=(draws, days + 30))
    values = np.zeros_like(shocks)
    for day in range(1, days + 30):
        values[:, day] = alike * values[:, day - 1] + shocks[:, day]
    return values[:, 30:]


@pytest.mark.parametrize("alike", [0.0, 0.3])
@pytest.mark.parametrize("days", [7, 14, 28])
def test_a_bound_misses_at_most_twice_as_often_as_it_says(days: int, alike: float) -> None:
    found = [mean_of_days(values) for values in days_in_a_row(2_000, days, alike)]
    below, above = np.mean([each.upper(0.05) < 0 for each in found]), np.mean([each.lower(0.05) > 0 for each in found])
    assert 0.02 <= below <= 0.10
    assert 0.02 <= above <= 0.10


def test_bounds_and_p_value_are_those_of_students_t() -> None:
    found = mean_of_days(np.array([0.3, -0.1, 0.2, -0.2, 0.1, -0.3]))
    assert found.mean == pytest.approx(0.0)
    assert found.error == pytest.approx(math.sqrt(0.056 / 6)), "days that are unlike their neighbours narrow nothing"
    assert found.upper(0.05) == pytest.approx(2.015048 * found.error)
    assert found.lower(0.05) == pytest.approx(-found.upper(0.05))
    assert found.p_value(found.upper(0.05)) == pytest.approx(0.05)


def test_days_that_are_like_the_day_before_widen_the_interval() -> None:
    one, other = np.repeat([1.0, -1.0], 14), np.tile([1.0, -1.0], 14)
    assert mean_of_days(one).error == pytest.approx(math.sqrt(19) * mean_of_days(other).error)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, math.nan]])
def test_one_day_says_nothing_of_the_next(values: list[float]) -> None:
    found = mean_of_days(np.array(values))
    assert (found.lower(0.05), found.upper(0.05), found.p_value(9.0)) == (-math.inf, math.inf, 1.0)


def test_days_without_any_difference_are_certain() -> None:
    found = mean_of_days(np.zeros(6))
    assert (found.lower(0.05), found.upper(0.05), found.p_value(0.01), found.p_value(0.0)) == (0.0, 0.0, 0.0, 1.0)


def test_a_day_counts_by_its_rows() -> None:
    days, labels = np.array(["a"] * 30 + ["b"] * 10), np.ones(40)
    answers = np.where(days == "a", 0.5, 0.25)
    values = daily_losses(LOG_LOSS, days, labels, answers)
    assert values.mean() == pytest.approx(LOG_LOSS.loss(labels, answers))
    assert len(values) == 2
    assert daily_losses(LOG_LOSS, days, labels, answers, less=answers).tolist() == [0.0, 0.0]


def test_the_spread_of_a_week_is_that_of_seven_days() -> None:
    values = np.random.default_rng(3).normal(0, 0.7, 700)
    assert mean_of_days(values).weekly_spread == pytest.approx(0.7 / math.sqrt(7), rel=0.15)


@pytest.mark.parametrize("values", [[-0.02, -0.02], [0.1, 0.1, 0.1], [0.3, 0.1 + 0.2, 0.3]])
def test_equal_days_that_are_not_zero_say_nothing_of_how_much_days_differ(values: list[float]) -> None:
    found = mean_of_days(np.array(values))
    assert (found.lower(0.05), found.upper(0.05), found.p_value(0.01)) == (-math.inf, math.inf, 1.0)
