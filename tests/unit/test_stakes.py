"""What was lost and what lies ahead, by hand."""

import pytest

from everfit.policy.stakes import Stakes, stakes


def test_nothing_is_at_stake_before_anything_was_scored() -> None:
    assert stakes([]) == Stakes(0.0, 0.0)
    assert stakes([]).mean == 0.0


def test_gaps_add_up_and_a_tenth_is_forgotten_each_week() -> None:
    found = stakes([(1, 0.1), (1, 0.2), (2, 0.3)])
    assert found.lost == pytest.approx(0.81 * (0.9 * 0.1 + 0.2) + 2 * 0.3)
    assert found.ahead == pytest.approx(0.3 * (4 + 4) / 2)
    assert found.mean == pytest.approx((found.lost * found.ahead) ** 0.5)


def test_a_champion_that_was_ahead_has_no_credit() -> None:
    assert stakes([(1, -5.0), (1, 0.2)]) == stakes([(1, 0.0), (1, 0.2)]) == Stakes(0.2, 0.2 * 6 / 2)


def test_nothing_is_at_stake_where_the_gap_has_closed() -> None:
    found = stakes([(1, 1.0), (1, -0.1)])
    assert found.lost == pytest.approx(0.8)
    assert found.mean == 0.0


def test_windows_of_a_day_come_to_the_same_as_a_week() -> None:
    assert stakes([(1 / 7, 0.2)] * 70).mean == pytest.approx(stakes([(1, 0.2)] * 10).mean, rel=0.06)
