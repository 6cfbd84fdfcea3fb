"""Which units get a challenger's answers."""

import numpy as np
import pytest

from everfit.serving.assignment import is_challenged

UNITS = [f"customer {number}" for number in range(20_000)]


def chosen(challenger: int, share: float) -> set[str]:
    """The units of a share."""
    return {unit for unit in UNITS if is_challenged("m", challenger, share, unit)}


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_a_share_is_of_that_size(share: float) -> None:
    spread = 4 * np.sqrt(len(UNITS) * share * (1 - share))
    assert abs(len(chosen(2, share)) - share * len(UNITS)) < spread


def test_who_is_in_a_share_stays_in_a_larger_one() -> None:
    assert chosen(2, 0) < chosen(2, 0.05) < chosen(2, 0.25) < chosen(2, 0.5) < chosen(2, 1) == set(UNITS)


def test_two_challengers_and_two_models_choose_independently() -> None:
    first = chosen(2, 0.25)
    both = first & chosen(3, 0.25)
    assert abs(len(both) / len(first) - 0.25) < 0.03
    assert is_challenged("m", 2, 0.5, "b") != is_challenged("other", 2, 0.5, "b")


def test_a_unit_is_assigned_alike_for_good() -> None:
    assert [is_challenged("m", 2, 0.5, unit) for unit in UNITS[:12]] == [digit == "1" for digit in "010001001001"]
