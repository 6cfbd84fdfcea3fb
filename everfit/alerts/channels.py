"""Tell somebody: by log, and by a webhook where one is set. Once a cause, again after a declared time, never once a tick.

``notices`` decides from what is wrong now and what was told; ``tell`` sends and writes down. The row is written after the
send, so that a crash in between repeats one message rather than losing it. A webhook that is away holds nothing up: it is
asked again a minute later.
"""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

import sqlalchemy as sa

from everfit.errors import SettingsError
from everfit.store import alert_state
from everfit.store.alert_state import Alert
from everfit.timing import format_time, parse_duration, wall_clock

WEBHOOK, REMINDER = "EVERFIT_ALERT_WEBHOOK", "EVERFIT_ALERT_REMINDER"
TIMEOUT_SECONDS = 2.0
RETRY = timedelta(minutes=1)

logger = logging.getLogger(__name__)
State = Literal["raised", "reminder", "resolved"]


@dataclass(frozen=True, slots=True)
class Watched:
    """What was looked at: the ``families`` of causes, and which of them (model, cause) hold now, with what to say.

    A cause of a family that was looked at and does not hold any more is over. Those in ``passing`` are events: told, then over.
    """

    families: Collection[str]
    holding: Mapping[tuple[str, str], str]
    passing: Mapping[tuple[str, str], str]

    def __or__(self, other: "Watched") -> "Watched":
        """Both."""
        return Watched({*self.families, *other.families}, {**self.holding, **other.holding}, {**self.passing, **other.passing})


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that is due."""

    state: State
    alert: Alert


@dataclass(frozen=True, slots=True)
class Channel:
    """Where alerts go and how often one is repeated while its cause holds."""

    webhook: str | None = None
    remind_after: timedelta = timedelta(days=1)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """``EVERFIT_ALERT_WEBHOOK`` (none: the log alone) and ``EVERFIT_ALERT_REMINDER`` (``24h``).

        Raises:
            SettingsError: when the reminder is no duration.
        """
        try:
            return cls(environ.get(WEBHOOK) or None, parse_duration(environ.get(REMINDER) or "24h"))
        except ValueError as error:
            raise SettingsError(f"{REMINDER}: {error}") from error

    @property
    def masked(self) -> str:
        """The webhook without what may be secret in its path."""
        parts = urlsplit(self.webhook or "")
        return f"{parts.scheme}://{parts.hostname}/…"


def updated(watched: Watched, before: Sequence[Alert], known: Collection[tuple[str, str]], now: datetime) -> list[Alert]:
    """The alerts that change: new ones, what is told of open ones, those whose cause is over, events.

    ``known`` are events that have a row already.
    """
    open_now = {(alert.model, alert.cause): alert for alert in before if alert.resolved_at is None}
    raised = [Alert(*key, message, now) for key, message in watched.holding.items() if key not in open_now]
    retold = [
        replace(alert, message=watched.holding[key])
        for key, alert in open_now.items()
        if watched.holding.get(key, alert.message) != alert.message
    ]
    over = [
        replace(alert, resolved_at=now)
        for key, alert in open_now.items()
        if alert.family in watched.families and key not in watched.holding
    ]
    events = [Alert(*key, message, now, resolved_at=now) for key, message in watched.passing.items() if key not in known]
    return raised + retold + over + events


def notices(
    current: Sequence[Alert], before: Collection[tuple[str, str]], now: datetime, remind_after: timedelta
) -> list[Notice]:
    """What is to be sent. ``before`` are the causes that were open when this pass began."""
    due = []
    for alert in current:
        if alert.tried_at and now < alert.tried_at + RETRY:
            continue
        if alert.last_sent_at is None:
            due.append(Notice("raised", alert))
        elif alert.resolved_at:
            due += [Notice("resolved", alert)] if (alert.model, alert.cause) in before else []
        elif now >= alert.last_sent_at + remind_after:
            due.append(Notice("reminder", alert))
    return due


def tell(engine: sa.Engine, watched: Watched, channel: Channel) -> list[Notice]:
    """Write down what is wrong now, and send what is due; returns what was sent. Nothing that a webhook does raises.

    One process at a time: where another is telling, this pass leaves it to that one and to the next.
    """
    with engine.connect() as connection, alert_state.alone(connection) as mine:
        if not mine:
            return []
        now = wall_clock()
        before = alert_state.unsettled(connection)
        changed = updated(watched, before, alert_state.told_before(connection, list(watched.passing)), now)
        alert_state.save(connection, changed)
        current = {(alert.model, alert.cause): alert for alert in [*before, *changed]}
        opened = {(alert.model, alert.cause) for alert in before if alert.resolved_at is None}
        due = notices(list(current.values()), opened, now, channel.remind_after)
        connection.commit()
        return _send(connection, due, channel, now)


def _send(connection: sa.Connection, due: Sequence[Notice], channel: Channel, now: datetime) -> list[Notice]:
    """Each in a transaction of its own; after the first that the webhook does not take, the rest waits too."""
    sent: list[Notice] = []
    away = False
    for notice in due:
        alert = notice.alert
        if alert.tried_at is None:
            logger.warning("alert %s: %s", notice.state, text(notice))
        away = away or (channel.webhook is not None and not _post(channel, notice))
        told = replace(alert, tried_at=now)
        if not away:
            told = replace(alert, last_sent_at=now, tried_at=None, count=alert.count + 1)
            sent.append(notice)
        alert_state.save(connection, [told])
        connection.commit()
    return sent


def text(notice: Notice) -> str:
    """One line for people."""
    over = "over: " if notice.state == "resolved" else ""
    return f"{notice.alert.model or 'everfit'}: {over}{notice.alert.message}"


def _post(channel: Channel, notice: Notice) -> bool:
    """Whether the webhook took it. ``text`` is what chat services show."""
    import httpx

    alert = notice.alert
    document = {
        "text": text(notice),
        "state": notice.state,
        "model": alert.model,
        "cause": alert.cause,
        "message": alert.message,
        "since": format_time(alert.first_at),
        "sent_before": alert.count,
    }
    try:
        answer = httpx.post(str(channel.webhook), json=document, timeout=TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # OSError: certificates that cannot be read
        logger.warning("the alert webhook %s does not answer: %s", channel.masked, type(error).__name__)
        return False
    if answer.is_success:
        return True
    logger.warning("the alert webhook %s refuses an alert with status %d", channel.masked, answer.status_code)
    return False
