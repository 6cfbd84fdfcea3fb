"""When missing comparators are a cause to tell somebody, and with which words."""

from datetime import UTC, datetime

import pytest

from everfit.alerts.comparator_rules import failure_budget, too_few
from everfit.errors import SettingsError
from everfit.store.comparators import Comparator

AT = datetime(2025, 1, 1, tzinfo=UTC)


def ended(fitted: int, failed: int) -> list[Comparator]:
    """Newest first, the failed ones before the others."""
    why = "RecipeError: recipe mlp: fit is not done after 60 s"
    return [
        *(Comparator(str(n), "m", AT, "recipe", 1, "failed", reason=why) for n in range(failed)),
        *(Comparator(str(n), "m", AT, "recipe", 1, "fitted") for n in range(fitted)),
    ]


@pytest.mark.parametrize(
    ("fitted", "failed", "budget", "told"),
    [
        (6, 2, 0.25, ""),
        (5, 3, 0.25, "3 of the newest 8 comparators are missing, so decisions go on without regret; the last: RecipeError"),
        (0, 1, 0.25, "1 of the newest 1 comparators are missing"),
        (8, 0, 0.0, ""),
        (7, 1, 0.0, "1 of the newest 8"),
        (0, 8, 1.0, ""),
        (0, 0, 0.0, ""),
    ],
)
def test_a_larger_share_than_may_fail_is_told_with_the_last_reason(fitted: int, failed: int, budget: float, told: str) -> None:
    message = too_few(ended(fitted, failed), budget)
    assert message.startswith(told)
    assert bool(message) == bool(told)


def test_the_share_is_declared() -> None:
    assert failure_budget({}) == 0.25
    assert failure_budget({"EVERFIT_ALERT_COMPARATORS": "100%"}) == 1.0
    with pytest.raises(SettingsError, match="EVERFIT_ALERT_COMPARATORS='often' is no share; write a percentage"):
        failure_budget({"EVERFIT_ALERT_COMPARATORS": "often"})
