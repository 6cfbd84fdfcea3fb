"""The budget of wrong promotions: what a gate may spend, what it costs, and that a year of bad candidates stays within it."""

from datetime import timedelta

import numpy as np
import pytest

from everfit.evaluation import budget


@pytest.mark.parametrize(
    ("left", "spent", "candidates", "expected"),
    [(4, 0, 1, 0.3), (4, 0, 2, 0.15), (4, 3, 1, 0.15), (1, 0, 1, 0.15), (4, 4, 1, 0), (4, 5, 2, 0), (4, 0, 0, 0.3)],
)
def test_the_level_is_a_share_of_what_is_left(left: float, spent: float, candidates: int, expected: float) -> None:
    assert budget.level(left, spent, candidates) == pytest.approx(expected)


def test_what_looks_good_costs_nothing() -> None:
    assert budget.cost(0.1, [0.01, 0.7]) == 0
    assert budget.cost(0.1, [0.71, 0.01, 0.99]) == pytest.approx(2 * 0.1 / 0.3)
    assert budget.cost(0.1, []) == 0


@pytest.mark.parametrize(("wrong_a_year", "candidates"), [(4, 1), (4, 2), (1, 2)])
def test_no_more_bad_candidates_pass_than_declared(wrong_a_year: float, candidates: int) -> None:
    random, wrong, years = np.random.default_rng(6), 0, 300
    costs: list[float] = []
    for _ in range(52 * years):
        spent = sum(costs[-52:])
        level = budget.level(wrong_a_year, spent, candidates)
        p_values = random.uniform(size=candidates).tolist()
        wrong += any(p_value <= level for p_value in p_values)
        costs.append(budget.cost(level, p_values))
    assert 0.4 * wrong_a_year < wrong / years <= wrong_a_year
    assert timedelta(days=365) == budget.YEAR
