"""The state machine of alerts: which change, and which notices are due. Pure functions; nothing is sent or stored here.

A cause is raised once, repeated after a declared time while it holds, and reported once more when it is over; never once a
pass. What a channel did not take is due again after :data:`RETRY`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from everfit.store.alert_state import Alert

RETRY = timedelta(minutes=1)

State = Literal["raised", "reminder", "resolved"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules have checked, and what is wrong.

    Args:
        families: the kinds of cause that were checked.
        ongoing: the causes that hold now, message by (model, cause). A cause of a checked family that is not here is over.
        events: causes without a duration, message by (model, cause): reported once.
    """

    families: Collection[str]
    ongoing: Mapping[tuple[str, str], str]
    events: Mapping[tuple[str, str], str]

    def __or__(self, other: "Findings") -> "Findings":
        """Both together."""
        return Findings({*self.families, *other.families}, {**self.ongoing, **other.ongoing}, {**self.events, **other.events})


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that is due."""

    state: State
    alert: Alert

    @property
    def text(self) -> str:
        """One line for people."""
        over = "over: " if self.state == "resolved" else ""
        return f"{self.alert.model or 'everfit'}: {over}{self.alert.message}"


def updated(
    findings: Findings, before: Sequence[Alert], past_events: Collection[tuple[str, str]], now: datetime
) -> list[Alert]:
    """The alerts that change: new ones, open ones with another message, those that are over, events.

    ``before`` are the alerts as stored, ``past_events`` the events that are stored already.
    """
    open_now = {(alert.model, alert.cause): alert for alert in before if alert.resolved_at is None}
    raised = [Alert(*key, message, now) for key, message in findings.ongoing.items() if key not in open_now]
    reworded = [
        replace(alert, message=findings.ongoing[key])
        for key, alert in open_now.items()
        if findings.ongoing.get(key, alert.message) != alert.message
    ]
    over = [
        replace(alert, resolved_at=now)
        for key, alert in open_now.items()
        if alert.family in findings.families and key not in findings.ongoing
    ]
    events = [Alert(*key, message, now, resolved_at=now) for key, message in findings.events.items() if key not in past_events]
    return raised + reworded + over + events


def notices(
    current: Sequence[Alert], before: Collection[tuple[str, str]], now: datetime, remind_after: timedelta
) -> list[Notice]:
    """The notices that are due. ``before`` are the causes that were open when this pass began."""
    due = []
    for alert in current:
        if alert.tried_at and now < alert.tried_at + RETRY:
            continue
        if alert.last_sent_at is None:
            due.append(Notice("raised", alert))
        elif alert.resolved_at:
            due += [Notice("resolved", alert)] if alert.tried_at or (alert.model, alert.cause) in before else []
        elif now >= alert.last_sent_at + remind_after:
            due.append(Notice("reminder", alert))
    return due
