"""What ends without an answer: when it is too much, and how `/metrics` counts it."""

import pytest

from everfit.alerts.evidence_rules import too_many, unanswered_budget
from everfit.errors import SettingsError
from everfit.serving.exposition import _unanswered
from everfit.store.unanswered import Unanswered, What


@pytest.mark.parametrize(
    ("what", "count", "of", "told"),
    [
        ("windows without evidence", 4, 8, ""),
        ("windows without evidence", 5, 8, "5 of the newest 8: windows without evidence; do outcomes arrive"),
        ("windows without evidence", 3, 3, ""),
        (
            "runs without a verdict",
            3,
            4,
            "3 of the newest 4: runs without a verdict; `everfit history pumps` has their reasons",
        ),
        ("windows without a comparator", 8, 8, ""),
    ],
    ids=["half", "more", "too few to tell", "runs", "a rule of their own"],
)
def test_more_than_the_share_is_an_alert(what: What, count: int, of: int, told: str) -> None:
    message = too_many(Unanswered("pumps", what, count, of), 0.5)
    assert message.startswith(told)
    assert bool(message) == bool(told)


def test_the_share_is_declared() -> None:
    assert (unanswered_budget({}), unanswered_budget({"EVERFIT_ALERT_UNANSWERED": "10%"})) == (0.5, 0.1)
    with pytest.raises(SettingsError, match="EVERFIT_ALERT_UNANSWERED='some' is no share"):
        unanswered_budget({"EVERFIT_ALERT_UNANSWERED": "some"})


def test_each_has_a_gauge_by_model() -> None:
    found = [Unanswered(model, "windows without a comparator", 2, 8) for model in ("pumps", "roads")]
    assert list(_unanswered(found)) == [
        "# HELP everfit_windows_without_a_comparator Of the newest 8 of a model, windows without a comparator.\n"
        "# TYPE everfit_windows_without_a_comparator gauge\n"
        'everfit_windows_without_a_comparator{model="pumps"} 2\n'
        'everfit_windows_without_a_comparator{model="roads"} 2\n'
    ]
    assert list(_unanswered([])) == []
