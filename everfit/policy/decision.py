"""Decide from evidence: a pure function, replayable on past evidence.

``decide`` looks at one closed window of one model. Distance and verdict were the evidence's business; here it is only asked
whether to retrain now, to wait, or to do nothing, and the answer always has its reason in words.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from everfit.declaration import Limits, Model
from everfit.timing import format_duration, format_time

Cause = Literal["drift", "performance", "freshness", "bootstrap", "person"]
Action = Literal["retrain", "wait", "none"]
Status = Literal["pending", "launched", "promoted", "rejected", "failed"]

CHANGES: tuple[Cause, ...] = ("drift", "performance")  # kinds of evidence that say the world has changed, in their order
BY_HAND: tuple[Cause, ...] = ("bootstrap", "person")  # asked for by people: counted by no limit of the loop
MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict on one window: what the policy sees of the evidence ``id``."""

    id: str
    kind: str
    verdict: str
    reason: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class PastRequest:
    """A retraining asked for earlier, newest last in a history."""

    cause: Cause
    status: Status
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """What the policy remembers: the champion, until when its data reach, its past findings, all past requests."""

    champion: int
    trained_until: datetime
    findings: Sequence[Finding]
    requests: Sequence[PastRequest]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a window, why, and on which evidence."""

    action: Action
    cause: Cause | None
    reason: str
    evidence: tuple[str, ...] = ()


def decide(model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
    """Decide on the window that ends ``at``.

    Training data that are too old are the cause wherever freshness' own limits allow it, an open change or not: the gate asks
    less of such a candidate, so that no rejection for a change can keep the champion old.

    Args:
        model: the declaration, for its drift and freshness policies, gate and limits.
        at: end of the window, by the model's clock.
        current: the champion's findings on this window.
        history: the champion's findings on earlier windows, and all requests of the model.
    """
    episode = _episode(model, [*history.findings, *current], at)
    change = _about_change(model, at, episode, history) if episode else None
    stale = next((f for f in current if f.kind == "freshness" and f.verdict == "alarm"), None)
    if stale is None:
        return change or Decision("none", None, _quiet(current))
    refused = refusal(model, at, "freshness", history)
    if not refused:
        besides = f"; besides, {change.cause}: {change.reason}" if change else ""
        return Decision("retrain", "freshness", f"{stale.reason}{besides}", (stale.id, *(change.evidence if change else ())))
    return change or Decision("wait", "freshness", f"{stale.reason}; {refused}", (stale.id,))


def request_id(model: Model, champion: int | None, at: datetime, cause: Cause) -> str:
    """The same request gets the same id, whoever asks: 16 hex digits of model, champion, window end, cause and policy."""
    policy = f"{model.drift!r}{model.freshness!r}{model.gate!r}{model.limits!r}"
    text = "|".join([model.name, str(champion), format_time(at), cause, policy])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _episode(model: Model, findings: Sequence[Finding], at: datetime) -> list[Finding]:
    """The alarms of the episode that is open at ``at``, oldest first; empty where none is.

    An episode opens when ``agree`` of the last ``of`` windows alarm, and ends when ``of`` in a row are quiet.
    """
    alarms: dict[datetime, list[Finding]] = {}
    for finding in findings:
        if finding.kind in CHANGES and finding.end <= at and finding.verdict != "insufficient":
            alarms.setdefault(finding.end, []).extend([finding] if finding.verdict == "alarm" else [])
    opened: list[Finding] = []
    recent: list[list[Finding]] = []
    is_open = False
    for end in sorted(alarms):
        recent = [*recent, alarms[end]][-model.drift.of :]
        alarmed = [found for found in recent if found]
        if is_open:
            opened += alarms[end]
            is_open = bool(alarmed) or len(recent) < model.drift.of
        elif len(alarmed) >= model.drift.agree:
            opened, is_open = [finding for found in alarmed for finding in found], True
    return opened if is_open else []


def _about_change(model: Model, at: datetime, episode: list[Finding], history: History) -> Decision:
    """Retrain for a change, or wait: for labels from after it, or for what the limits allow."""
    cause = next(kind for kind in CHANGES if any(finding.kind == kind for finding in episode))
    newest = [finding for finding in episode if finding.end == episode[-1].end]
    told = "; ".join(finding.reason for finding in newest)
    evidence = tuple(finding.id for finding in episode)
    since = min(finding.start for finding in episode)
    if at < since + model.drift.settle:
        settled = format_time(since + model.drift.settle)
        return Decision("wait", cause, f"{told}; waiting for labels from after the change until {settled}", evidence)
    refused = refusal(model, at, cause, history)
    return Decision("wait", cause, f"{told}; {refused}", evidence) if refused else Decision("retrain", cause, told, evidence)


def refusal(model: Model, at: datetime, cause: Cause, history: History) -> str:
    """Why nothing may be requested now; empty where it may."""
    unseen_days = (at - history.trained_until) / timedelta(days=1)
    if unseen_days < model.gate.min_unseen_days:
        return f"only {unseen_days:.0f} of {model.gate.min_unseen_days} days that the champion has not seen"
    if any(request.status in ("pending", "launched") for request in history.requests):
        return "a retraining is under way"
    return _limited(model.limits, at, cause, history.requests)


def _limited(limits: Limits, at: datetime, cause: Cause, requests: Sequence[PastRequest]) -> str:
    """Cooldown, quota and breaker. Freshness is held back by its own requests alone; what failed has used up no quota."""
    own = [request for request in _by_the_loop(requests) if cause != "freshness" or request.cause == "freshness"]
    if own and at < own[-1].requested_at + limits.cooldown:
        return f"cooling down for {format_duration(limits.cooldown)} since {format_time(own[-1].requested_at)}"
    within_month = [request for request in own if at - request.requested_at < MONTH and request.status != "failed"]
    if len(within_month) >= limits.retrains_per_month:
        counted = "retrainings for freshness" if cause == "freshness" else "retrainings"
        return f"{len(within_month)} {counted} in 30 days, at most {limits.retrains_per_month} are allowed"
    rejected = tripped(limits, own)
    if cause != "freshness" and rejected and at < rejected[-1].requested_at + limits.reopen_after:
        until = format_time(rejected[-1].requested_at + limits.reopen_after)
        return f"{len(rejected)} candidates in a row were rejected, nothing more is asked until {until}"
    return ""


def tripped(limits: Limits, requests: Sequence[PastRequest]) -> Sequence[PastRequest]:
    """The rejections in a row that make the breaker trip, oldest first; empty where it has not."""
    last = _by_the_loop(requests)[-limits.stop_after_rejections :]
    rejected = len(last) == limits.stop_after_rejections and all(request.status == "rejected" for request in last)
    return last if rejected else []


def _by_the_loop(requests: Sequence[PastRequest]) -> list[PastRequest]:
    """Without what people asked for."""
    return [request for request in requests if request.cause not in BY_HAND]


def _quiet(current: Sequence[Finding]) -> str:
    verdicts = ", ".join(f"{finding.kind} {finding.verdict}" for finding in current)
    return f"nothing to act on: {verdicts}" if verdicts else "no predictions of the champion in this window"
