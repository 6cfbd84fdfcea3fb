"""How `everfit history` tells what became of the champion."""

import pytest

from everfit.cli.history import champion_change


@pytest.mark.parametrize(
    ("before", "after", "told"), [(None, 1, "none → 1"), (1, 2, "1 → 2"), (2, None, "2 stays"), (None, None, "none")]
)
def test_a_rejection_leaves_the_champion(before: int | None, after: int | None, told: str) -> None:
    assert champion_change(before, after) == told
