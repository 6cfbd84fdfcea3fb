"""The default policy: retrain where the world has changed, or the training data are too old."""

from collections.abc import Sequence
from datetime import datetime

from everfit.declaration import Model, Part
from everfit.declaration.retraining import FRESHNESS, Decision, Finding, History
from everfit.evidence.kinds import kinds
from everfit.policy.limits import refusal
from everfit.timing import format_time


class OnDrift(Part):
    """Retrain for a change, once labels from after it have settled; else for freshness.

    A change is an alarm of a kind of evidence that triggers a retraining: drift, performance, and what other packages add.

    Training data that are too old are the cause wherever the limits of freshness allow it, with an open change or without: the
    gate asks less of such a candidate, so that no rejection for a change can keep the champion old.
    """

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        """Decide on the window that ends ``at``, within the limits."""
        episode = _episode(model, [*history.findings, *current], at)
        change = _about_change(model, at, episode, history) if episode else None
        stale = next((finding for finding in current if finding.kind == FRESHNESS and finding.verdict == "alarm"), None)
        if stale is None:
            return change or Decision("none", None, _quiet(current))
        refused = refusal(model, at, FRESHNESS, history)
        if refused:
            return change or Decision("wait", FRESHNESS, f"{stale.reason}; {refused}", (stale.id,))
        besides = f"; besides, {change.cause}: {change.reason}" if change else ""
        evidence = (stale.id, *(change.evidence if change else ()))
        return Decision("retrain", FRESHNESS, f"{stale.reason}{besides}", evidence)


def _changes() -> list[str]:
    """The kinds of evidence that say that the world has changed, in their order."""
    return [kind.name for kind in kinds().values() if kind.triggers == "retraining" and kind.name != FRESHNESS]


def _episode(model: Model, findings: Sequence[Finding], at: datetime) -> list[Finding]:
    """The alarms of the episode that is open at ``at``, oldest first; empty where none is.

    An episode opens when ``agree`` of the last ``of`` windows alarm, and ends when ``of`` in a row are quiet.
    """
    changes = _changes()
    alarms: dict[datetime, list[Finding]] = {}
    for finding in findings:
        if finding.kind in changes and finding.end <= at and finding.verdict != "insufficient":
            alarms.setdefault(finding.end, []).extend([finding] if finding.verdict == "alarm" else [])
    opened: list[Finding] = []
    recent: list[list[Finding]] = []
    is_open = False
    for end in sorted(alarms):
        recent = [*recent, alarms[end]][-model.drift.of :]
        alarmed = [window for window in recent if window]
        if is_open:
            opened += alarms[end]
            is_open = bool(alarmed) or len(recent) < model.drift.of
        elif len(alarmed) >= model.drift.agree:
            opened, is_open = [finding for window in alarmed for finding in window], True
    return opened if is_open else []


def _about_change(model: Model, at: datetime, episode: list[Finding], history: History) -> Decision:
    """Retrain for a change, or wait: for labels from after it, or for what the limits allow."""
    cause = next(kind for kind in _changes() if any(finding.kind == kind for finding in episode))
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
    verdicts = ", ".join(f"{finding.kind} {finding.verdict}" for finding in current)
    return f"nothing to act on: {verdicts}" if verdicts else "no predictions of the champion in this window"
