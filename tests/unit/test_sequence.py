"""The confidence sequence: right at all looks together, and sharp enough to find what a guard must find."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtri, stdtr

from everfit.declaration.tasks import Floats
from everfit.evaluation.sequence import FEWEST_DAYS, TIGHTEST_DAYS, Interval, _inflation, sequence

DAYS = 84


def streams(correlation: float, count: int, seed: int = 0) -> Floats:
    """float64[count, DAYS]: daily values of mean 0 and deviation 1, each with this correlation to the day before."""
    draw = np.random.default_rng(seed).standard_normal((count, DAYS))
    values = np.empty_like(draw)
    values[:, 0] = draw[:, 0]
    for day in range(1, DAYS):
        values[:, day] = correlation * values[:, day - 1] + math.sqrt(1 - correlation**2) * draw[:, day]
    return values


def looks(values: Floats) -> list[Interval]:
    return [sequence(values[: day + 1]) for day in range(len(values))]


@pytest.mark.parametrize(("correlation", "most"), [(0.0, 0.08), (0.3, 0.10), (0.6, 0.20)])
def test_a_look_a_day_errs_no_more_often_than_it_says(correlation: float, most: float) -> None:
    wrong = [any(look.lower > 0 or look.upper < 0 for look in looks(values)) for values in streams(correlation, 100)]
    assert np.mean(wrong) <= most


@pytest.mark.parametrize(("correlation", "least"), [(0.0, 0.9), (0.3, 0.75)])
def test_a_difference_of_six_tenths_of_a_daily_deviation_is_found(correlation: float, least: float) -> None:
    found = [any(look.lower > 0 for look in looks(values + 0.6)) for values in streams(correlation, 60, seed=1)]
    assert np.mean(found) >= least


@pytest.mark.parametrize("days", [4, 28, 84])
def test_the_bound_is_where_a_mixture_of_bets_against_no_difference_has_won_ten_to_one(days: int) -> None:
    """Derived anew: bets of every size, weighted by a normal distribution, are integrated; their gain is 1 / error."""
    error, spent = 0.1, -2 * math.log(0.1)
    width = (spent + math.log(spent + 1)) / TIGHTEST_DAYS  # the variance of the bets
    values = np.tile([-1.0, 1.0], days // 2)  # alternating: no correlation beyond its standard error
    per_error = sequence(values, error).upper / math.sqrt(values.var(ddof=1) * _inflation(values) / days)
    total = -ndtri(stdtr(days - 1, -per_error)) * math.sqrt(days)  # the sum of as many values of deviation 1

    def gain(bet: float) -> float:
        return math.exp(bet * total - bet * bet * days / 2 - bet * bet / (2 * width)) / math.sqrt(2 * math.pi * width)

    won = quad(gain, -10, 10, points=[total / (days + 1 / width)], limit=200)[0]
    assert won == pytest.approx(1 / error, rel=1e-3)


def test_few_days_say_nothing() -> None:
    assert sequence(np.array([])) == Interval(0.0, -math.inf, math.inf, 0)
    few = sequence(np.full(FEWEST_DAYS - 1, 5.0))
    assert (few.mean, few.lower, few.upper) == (5.0, -math.inf, math.inf)
    assert few.outcome(margin=0.1) == "open"


def test_versions_that_answer_the_same_are_no_worse() -> None:
    same = sequence(np.zeros(10))
    assert (same.lower, same.upper) == (0.0, 0.0)
    assert same.outcome(margin=0.01) == "no_worse"
    assert same.outcome(margin=0.0) == "open", "no margin, no difference: nothing is shown"


def test_days_without_a_value_are_left_out() -> None:
    values = np.array([0.1, math.nan, 0.2, 0.3, math.inf, 0.2])
    assert sequence(values) == sequence(np.array([0.1, 0.2, 0.3, 0.2]))
    assert sequence(values).days == 4


@pytest.mark.parametrize("value", [-5.0, 0.1, 5.0])
def test_equal_days_that_are_not_zero_leave_it_open(value: float) -> None:
    for days in (4, 10):
        found = sequence(np.full(days, value))
        assert (found.lower, found.upper, found.outcome(margin=0.1)) == (-math.inf, math.inf, "open")
