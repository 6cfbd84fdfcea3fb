"""How `everfit history` tells what became of the champion."""

import pytest

from everfit.cli.history import moved


@pytest.mark.parametrize(
    ("before", "after", "told"), [(None, 1, "none → 1"), (1, 2, "1 → 2"), (2, None, "2 stays"), (None, None, "none")]
)
def test_a_rejection_leaves_the_champion(before: int | None, after: int | None, told: str) -> None:
    assert moved(before, after) == told
