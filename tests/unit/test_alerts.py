"""What is told, when, and when not: once a cause, a reminder, the end; never once a tick."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from everfit.alerts.channels import Channels
from everfit.alerts.state import RETRY, Findings, Notice, notices, updated
from everfit.alerts.webhook import Webhook
from everfit.errors import SettingsError
from everfit.store.alert_state import Alert

NOW = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = ("flight_delay", "request:1a2b")
TOLD = Alert(*KEY, "it failed", NOW, last_sent_at=NOW, count=1)


def watched(holding: bool = True, families: frozenset[str] = frozenset({"request"})) -> Findings:
    return Findings(families, {KEY: "it failed"} if holding else {}, {})


def test_a_new_cause_is_raised_once() -> None:
    (raised,) = updated(watched(), [], [], NOW)
    assert notices([raised], [], NOW, DAY) == [Notice("raised", raised)]
    assert updated(watched(), [TOLD], [], NOW) == []
    assert notices([TOLD], [KEY], NOW + DAY / 2, DAY) == []


def test_a_cause_that_holds_on_is_reminded_of_after_the_declared_time() -> None:
    assert notices([TOLD], [KEY], NOW + DAY, DAY) == [Notice("reminder", TOLD)]


def test_what_is_told_of_a_cause_is_kept_up_to_date_and_not_sent_for_that() -> None:
    (retold,) = updated(Findings({"request"}, {KEY: "it failed twice"}, {}), [TOLD], [], NOW + DAY / 2)
    assert retold == replace(TOLD, message="it failed twice")
    assert notices([retold], [KEY], NOW + DAY / 2, DAY) == []


def test_a_cause_that_is_over_is_said_to_be_and_may_come_again() -> None:
    (over,) = updated(watched(holding=False), [TOLD], [], NOW + DAY)
    assert over.resolved_at == NOW + DAY
    assert notices([over], [KEY], NOW + DAY, DAY) == [Notice("resolved", over)]
    assert notices([over], [], NOW + 2 * DAY, DAY) == []
    (again,) = updated(watched(), [over], [], NOW + 3 * DAY)
    assert (again.last_sent_at, again.resolved_at, again.first_at) == (None, None, NOW + 3 * DAY)


def test_what_was_not_looked_at_is_not_over() -> None:
    assert updated(watched(holding=False, families=frozenset({"breaker"})), [TOLD], [], NOW) == []


def test_an_event_is_told_once_and_is_over() -> None:
    event = Findings((), {}, {("", "log:everfit.predictions:1"): "it began again"})
    (told,) = updated(event, [], [], NOW)
    assert told.resolved_at == NOW
    assert notices([told], [], NOW, DAY) == [Notice("raised", told)]
    assert updated(event, [], [("", "log:everfit.predictions:1")], NOW) == []


def test_a_webhook_that_is_away_is_asked_again_a_minute_later() -> None:
    unsent = replace(TOLD, last_sent_at=None, count=0, tried_at=NOW)
    assert notices([unsent], [KEY], NOW + RETRY / 2, DAY) == []
    assert notices([unsent], [KEY], NOW + RETRY, DAY) == [Notice("raised", unsent)]


def test_the_webhooks_secret_is_masked() -> None:
    assert Webhook("https://user:word@hooks.example/T0/secret").masked == "https://hooks.example/…"
    assert Channels.from_environment({"EVERFIT_ALERT_REMINDER": "2h"}).remind_after == timedelta(hours=2)
    with pytest.raises(SettingsError, match="EVERFIT_ALERT_REMINDER='soon' is no duration; write a number"):
        Channels.from_environment({"EVERFIT_ALERT_REMINDER": "soon"})
