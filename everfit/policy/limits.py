"""The limits on retraining: pauses, days to compare on, one at a time, the hold after a rollback, cooldown, quota, breaker."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from everfit.declaration import Limits, Model
from everfit.declaration.retraining import BY_HAND, FRESHNESS, SECOND_LOOK, History, PastRequest
from everfit.timing import format_duration, format_time

MONTH = timedelta(days=30)
DAY = timedelta(days=1)  # of outcomes, from after a rollback


def refusal(model: Model, at: datetime, cause: str, history: History) -> str:
    """Why no retraining may be requested now for this cause; empty where it may."""
    if history.paused:
        return f"paused by a person: `everfit resume {model.name}` lets it go on"
    if few := _few_unseen(model, at, cause, history):
        return few
    if under_way(history):
        return "a retraining is under way"
    if history.challenger is not None:
        return f"version {history.challenger} is in its rollout"
    back = history.rolled_back_at
    if back is not None and at < (known := back + DAY + model.training.label_delay):
        waiting = f"waiting for a day of outcomes from after it until {format_time(known)}"
        return f"a version was rolled back at {format_time(back)}; {waiting}"
    limited = (model.limits, at, cause, history.requests)
    return ceiling(*limited) or _breaker(*limited)


def under_way(history: History) -> bool:
    """Whether a request has no verdict yet."""
    return any(request.status in ("pending", "launched") for request in history.requests)


def tripped(limits: Limits, requests: Sequence[PastRequest]) -> Sequence[PastRequest]:
    """The rejections in a row that make the breaker trip, oldest first; empty where it has not.

    A version that failed on live outcomes counts as one that the gate rejected: it cost more. What was inconclusive counts for
    nothing: its last look does.
    """
    last = [request for request in _of_the_loop(requests) if request.status != "inconclusive"][-limits.stop_after_rejections :]
    failed = all(request.status == "rejected" or request.taken_back for request in last)
    rejected = len(last) == limits.stop_after_rejections and failed
    return last if rejected else []


def _few_unseen(model: Model, at: datetime, cause: str, history: History) -> str:
    """Why a candidate that must be better could not be judged yet; one that must be no worse is left to the guard then."""
    if at <= history.trained_until:
        return "the champion has learnt all that is known"
    unseen = math.ceil((at - model.training.label_delay - history.trained_until) / timedelta(days=1))
    if model.gate.question(cause).prove == "no_worse" or unseen >= model.gate.min_unseen_days:
        return ""
    return f"only {max(unseen, 0)} of {model.gate.min_unseen_days} days that the champion has not seen"


def ceiling(limits: Limits, at: datetime, cause: str, requests: Sequence[PastRequest]) -> str:
    """Which limit on how often anything is trained binds, cooldown or quota; empty where none does.

    Only its own requests count against freshness; what failed counts against no quota.
    """
    trained = [request for request in _counted(cause, requests) if request.cause != SECOND_LOOK]
    if trained and at < trained[-1].requested_at + limits.cooldown:
        return f"cooling down for {format_duration(limits.cooldown)} since {format_time(trained[-1].requested_at)}"
    within_month = [request for request in trained if at - request.requested_at < MONTH and request.status != "failed"]
    if len(within_month) >= limits.retrains_per_month:
        counted = "retrainings for freshness" if cause == FRESHNESS else "retrainings"
        return f"{len(within_month)} {counted} in 30 days, at most {limits.retrains_per_month} are allowed"
    return ""


def _breaker(limits: Limits, at: datetime, cause: str, requests: Sequence[PastRequest]) -> str:
    rejected = tripped(limits, _counted(cause, requests))
    if cause != FRESHNESS and rejected and at < rejected[-1].requested_at + limits.reopen_after:
        until = format_time(rejected[-1].requested_at + limits.reopen_after)
        return f"{len(rejected)} candidates in a row were rejected or failed live, nothing more is asked until {until}"
    return ""


def _counted(cause: str, requests: Sequence[PastRequest]) -> list[PastRequest]:
    """The requests that a retraining for this cause is limited by."""
    return [request for request in _of_the_loop(requests) if cause != FRESHNESS or request.cause == FRESHNESS]


def _of_the_loop(requests: Sequence[PastRequest]) -> list[PastRequest]:
    """Without what people requested."""
    return [request for request in requests if request.cause not in BY_HAND]
