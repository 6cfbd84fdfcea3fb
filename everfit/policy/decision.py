"""The decision on a window: the policy's that the model declares, within the model's limits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from everfit.declaration import Model
from everfit.declaration.retraining import SECOND_LOOK, Decision, Finding, History
from everfit.errors import PolicyError
from everfit.policy.limits import refusal, under_way
from everfit.policy.on_drift import OnDrift


def decide(model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
    """Decide on the window that ends ``at``: a second look where a verdict waits for it, else what the policy answers.

    A retraining that the limits refuse waits.

    Args:
        model: the declaration.
        at: end of the window, by the model's clock.
        current: the champion's findings on this window.
        history: the champion's findings on earlier windows, and all requests of the model.

    Raises:
        PolicyError: when the policy answers something else than a decision.
    """
    if again := _second_look(model, at, history):
        return again
    policy = model.retraining or OnDrift()
    decision = policy.decide(model, at, current, history)
    if not isinstance(decision, Decision):
        raise PolicyError(f"{model.name}: {policy!r} answered {decision!r}; decide() must return a Decision")
    if decision.action != "retrain" or decision.cause is None:
        return decision
    refused = refusal(model, at, decision.cause, history)
    return replace(decision, action="wait", reason=f"{decision.reason}; {refused}") if refused else decision


def _second_look(model: Model, at: datetime, history: History) -> Decision | None:
    """Judge an inconclusive candidate again with the days of this window, rather than train another.

    One that no look has reached for longer than it may wait is given up.
    """
    waits, longest = history.inconclusive, max(model.gate.expires_after, model.drift.window)
    if waits is None or not waits.at < at <= waits.at + longest or history.paused or under_way(history):
        return None
    return Decision("retrain", SECOND_LOOK, f"a candidate is judged again, with the days since; before: {waits.reason}")
