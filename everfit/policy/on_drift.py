"""The default policy: retrain where the world has changed, or the training data are too old."""

from collections.abc import Sequence
from datetime import datetime

from everfit.declaration import Model, Part
from everfit.declaration.retraining import Decision, Finding, History
from everfit.policy.episode import cause_of, open_episode
from everfit.policy.freshness import with_freshness
from everfit.policy.limits import refusal
from everfit.timing import format_time


class OnDrift(Part):
    """Retrain for a change, once labels from after it have settled; else for freshness.

    A change is an alarm of a kind of evidence that triggers a retraining: drift, performance, and what other packages add.

    Training data that are too old are the cause wherever the limits of freshness allow it, with an open change or without.
    """

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        """Decide on the window that ends ``at``, within the limits."""
        episode = open_episode(model, [*history.findings, *current], at)
        change = _about_change(model, at, episode, history) if episode else Decision("none", None, _quiet(current))
        return with_freshness(model, at, current, history, change)


def _about_change(model: Model, at: datetime, episode: list[Finding], history: History) -> Decision:
    """Retrain for a change, or wait: for labels from after it, or for what the limits allow."""
    cause = cause_of(episode)
    assert cause is not None, "an episode consists of alarms of a change"
    newest = [finding for finding in episode if finding.end == episode[-1].end]
    reasons = "; ".join(finding.reason for finding in newest)
    evidence = tuple(finding.id for finding in episode)
    since = min(finding.start for finding in episode)
    if at < since + model.drift.settle:
        settled = format_time(since + model.drift.settle)
        return Decision("wait", cause, f"{reasons}; waiting for labels from after the change until {settled}", evidence)
    refused = refusal(model, at, cause, history)
    if refused:
        return Decision("wait", cause, f"{reasons}; {refused}", evidence)
    return Decision("retrain", cause, reasons, evidence)


def _quiet(current: Sequence[Finding]) -> str:
    told = [finding for finding in current if finding.detail.get("missing") != "policy"]  # regret that nobody asked for
    verdicts = ", ".join(f"{finding.kind} {finding.verdict}" for finding in told)
    return f"nothing to act on: {verdicts}" if verdicts else "no predictions of the champion in this window"
