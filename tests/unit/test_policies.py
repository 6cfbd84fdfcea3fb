"""Timers, amounts of rows, and policies of policies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from everfit import AfterRows, AllOf, AnyOf, Decision, Finding, History, Majority, Model, OnDrift, Regret, Timer
from everfit.declaration.retraining import PastRequest
from everfit.errors import DeclarationError
from everfit.store import comparators
from models.electricity_price import electricity_price

LIVE = datetime(1996, 9, 4, tzinfo=UTC)
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Says:
    """A policy that always answers the same."""

    action: Any
    cause: str | None = None

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        return Decision(self.action, self.cause, f"says {self.action}", (f"of-{self.cause}",) if self.cause else ())


YES, WAIT, NO = Says("retrain", "timer"), Says("wait", "drift"), Says("none")


def found(kind: str, number: int, verdict: str = "ok", **detail: Any) -> Finding:
    """One finding on the week of that number, from 1."""
    start = LIVE + WEEK * (number - 1)
    return Finding(f"{kind}-{number}", kind, verdict, f"{kind} {verdict}", start, start + WEEK, None, None, detail)


def decided(
    policy: Any, weeks: int, *, findings: Sequence[Finding] = (), requests: Sequence[PastRequest] = (), stale: bool = False
) -> Decision:
    """Decide at the end of that week."""
    at = LIVE + WEEK * weeks
    current = [*(each for each in findings if each.end == at), *([found("freshness", weeks, "alarm")] if stale else [])]
    earlier = [each for each in findings if each.end < at]
    answer: Decision = policy.decide(electricity_price, at, current, History(1, LIVE, earlier, requests))
    return answer


def test_a_timer_says_when_it_is_due() -> None:
    assert decided(Timer("28d"), 3) == Decision("none", None, "every 28d: due at 1996-10-02T00:00:00Z")
    assert decided(Timer("28d"), 4) == Decision("retrain", "timer", "every 28d: due at 1996-10-02T00:00:00Z")
    asked = PastRequest("timer", "rejected", LIVE + 4 * WEEK)
    assert decided(Timer("28d"), 5, requests=[asked]).reason == "every 28d: due at 1996-10-30T00:00:00Z"
    assert decided(Timer("28d"), 5, requests=[replace(asked, status="failed")]).action == "retrain"


def test_new_labelled_rows_are_counted_once_from_the_promotion_and_from_the_last_request() -> None:
    weeks = [found("regret", number, labelled=300, rows=30, scored=[str(number)]) for number in (1, 2, 3, 4)]
    assert decided(AfterRows(700), 2, findings=weeks) == Decision(
        "none", None, "600 of 700 new labelled rows; next: the window until 1996-09-25T00:00:00Z"
    )
    enough = decided(AfterRows(700), 3, findings=weeks)
    assert (enough.action, enough.cause, enough.reason) == ("retrain", "rows", "900 of 700 new labelled rows")
    asked = [PastRequest("rows", "rejected", LIVE + 3 * WEEK)]
    assert decided(AfterRows(700), 4, findings=weeks, requests=asked).reason.startswith("300 of 700")
    twice = [found("regret", number, rows=300, scored=["1"]) for number in (1, 2, 3)]
    assert decided(AfterRows(700), 3, findings=twice).reason.startswith("300 of 700"), "a window that is scored again"
    assert decided(AfterRows(1), 1, findings=[found("regret", 1, "insufficient", missing="rows")]).action == "none"


@pytest.mark.parametrize("policy", [Timer("28d"), AfterRows(700), Regret(), OnDrift(), AllOf(NO, Timer("28d"))])
def test_old_training_data_need_nobodys_consent(policy: Any) -> None:
    assert decided(policy, 1, stale=True).cause == "freshness"


@pytest.mark.parametrize(
    ("policy", "action", "cause"),
    [
        (AnyOf(NO, YES), "retrain", "timer"),
        (AnyOf(NO, WAIT), "wait", "drift"),
        (AnyOf(NO, NO), "none", None),
        (AllOf(YES, YES), "retrain", "timer"),
        (AllOf(YES, NO), "wait", "timer"),
        (AllOf(NO, WAIT), "wait", "drift"),
        (Majority(YES, NO), "wait", "timer"),
        (Majority(YES, NO, YES), "retrain", "timer"),
        (Majority(YES, NO, WAIT), "wait", "timer"),
        (AnyOf(AllOf(YES, NO), YES), "retrain", "timer"),
    ],
)
def test_enough_must_agree(policy: Any, action: str, cause: str | None) -> None:
    decision = decided(policy, 1)
    assert (decision.action, decision.cause) == (action, cause)


def test_what_each_says_is_told_and_evidence_counts_once() -> None:
    assert decided(Majority(YES, NO, YES), 1) == Decision(
        "retrain",
        "timer",
        "2 of 3 policies would retrain, 2 needed. Says: says retrain; Says: says none; Says: says retrain",
        ("of-timer",),
    )


def test_a_policy_of_policies_has_the_comparators_of_the_first_that_compares() -> None:
    composed = AnyOf(Timer("28d"), Regret(comparator="light", every=4))
    assert (composed.comparator, composed.every) == ("light", 4)
    declared = electricity_price.model_copy(update={"retraining": AllOf(NO, composed)})
    assert comparators.recipe_name(declared) == "light"
    assert AnyOf(Timer("28d")).comparator is None


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (AnyOf, r"AnyOf\(\) has no policies; give some, such as AnyOf\(OnDrift\(\), Timer\('28d'\)\)"),
        (lambda: AnyOf(Timer), r"Timer is a class; give an object of it, Timer\(…\)"),
        (lambda: AllOf(Timer("7d"), "weekly"), r"'weekly' has no method decide"),
        (lambda: Timer("soon"), "every: 'soon' is no duration"),
        (lambda: Timer("0d"), "every: .*greater than 0"),
        (lambda: AfterRows(0), "rows: .*greater than or equal to 1, got 0"),
    ],
)
def test_what_cannot_be_declared_is_refused(make: Any, why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        make()


def test_they_are_written_with_all_that_they_decide_by() -> None:
    assert repr(AnyOf(Timer("28d"), AfterRows(9))) == (
        "AnyOf(policies=(Timer(every=datetime.timedelta(days=28)), AfterRows(rows=9)))"
    )
