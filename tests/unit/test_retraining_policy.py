"""A policy that a user writes: what is refused when it is declared, what may be answered, and which limits are above it."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from everfit import Decision, History, Limits, Model
from everfit.declaration.retraining import PastRequest
from everfit.errors import DeclarationError, PolicyError
from everfit.policy.decision import decide
from models.electricity_price import electricity_price
from tests.extensions import documented
from tests.timer import Timer

LIVE = electricity_price.go_live
FORTNIGHT = timedelta(days=14)


def declared(policy: Any, **other: Any) -> Model:
    return Model(**{name: getattr(electricity_price, name) for name in Model.model_fields} | {"retraining": policy} | other)


def decided(model: Model, at: datetime, *requests: PastRequest) -> Decision:
    return decide(model, at, [], History(1, LIVE, [], requests))


def test_a_timer_decides_by_time_alone() -> None:
    model = declared(Timer(FORTNIGHT))
    assert decided(model, LIVE + timedelta(days=7)) == Decision("none", None, "7 of 14 days have passed")
    assert decided(model, LIVE + FORTNIGHT) == Decision("retrain", "timer", "14 days have passed")


@pytest.mark.parametrize(
    ("status", "why"), [("launched", "a retraining is under way"), ("rejected", "cooling down for 7d since")]
)
def test_limits_are_above_every_policy(status: Any, why: str) -> None:
    model = declared(Timer(FORTNIGHT), limits=Limits(cooldown="7d"))
    decision = decided(model, LIVE + FORTNIGHT, PastRequest("timer", status, LIVE + timedelta(days=10)))
    assert (decision.action, decision.cause) == ("wait", "timer")
    assert decision.reason.startswith(f"14 days have passed; {why}")


class Plain:
    """Without a representation of its own."""

    decide = Timer(FORTNIGHT).decide


class Deaf:
    """Decides by nothing."""

    def __repr__(self) -> str:
        return "Deaf()"

    def decide(self) -> Decision:
        return Decision("none", None, "")


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("weekly", r"retraining: 'weekly' has no method decide\(model, at, current, history\)"),
        (Timer, r"retraining: Timer is a class; give an object of it, Timer\(…\)"),
        (Deaf(), r"retraining: Deaf.decide takes other arguments than \(model, at, current, history\)"),
        (Plain(), "retraining: Plain has no representation that is the same in every process; make it a frozen dataclass"),
    ],
)
def test_what_is_no_policy_is_refused_where_it_is_declared(policy: object, why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        declared(policy)


def test_an_answer_that_is_no_decision_is_an_error_that_names_the_policy() -> None:
    class Shy(Timer):
        def decide(self, *_: Any) -> Any:
            return None

    with pytest.raises(PolicyError, match=r"electricity_price: .*Shy\(.*\) answered None; decide\(\) must return"):
        decided(electricity_price.model_copy(update={"retraining": Shy(FORTNIGHT)}), LIVE)


@pytest.mark.parametrize(
    ("action", "cause", "why"),
    [
        ("Retrain", "timer", "action 'Retrain': a decision is one of retrain, wait, none"),
        ("retrain", None, "a retraining without a cause: name one, such as 'drift'"),
        ("retrain", "person", "cause 'person': a cause is a lower-case name, such as 'drift'; bootstrap and person stand for"),
        ("wait", "a timer", "cause 'a timer': a cause is a lower-case name"),
    ],
)
def test_a_decision_that_says_nothing_clear_is_refused(action: Any, cause: str | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Decision(action, cause, "")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"cause": 3}, "cause 3: a cause is a lower-case name"),
        ({"reason": None}, "reason None: a reason is text"),
        ({"reason": "a\0b"}, "a reason is text without NUL"),
        ({"evidence": None}, r"evidence None: give the findings' ids, such as \(finding.id,\)"),
        ({"evidence": "abc"}, "evidence 'abc': give"),
        ({"evidence": (1,)}, r"evidence \(1,\): give"),
    ],
)
def test_a_decision_that_cannot_be_stored_is_refused(parts: dict[str, Any], why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        Decision(**{"action": "none", "cause": None, "reason": "why", **parts})


def test_a_policy_is_any_object_with_the_method() -> None:
    policy = SimpleNamespace(decide=lambda model, at, current, history: Decision("none", None, "never"))
    with pytest.raises(DeclarationError, match="the same in every process"):
        declared(policy)  # a function's address is part of how it is written


def test_the_policy_of_the_page_decides() -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    exec(documented("Policies"), namespace)
    decision = decided(declared(namespace["Timer"](FORTNIGHT)), LIVE + FORTNIGHT)
    assert decision == Decision("retrain", "timer", "14 days have passed")
