"""Alerts in a real Postgres, sent to a real HTTP server: not repeated by a restart, not held up by a webhook that is away."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from everfit.alerts.channels import Channels
from everfit.alerts.model_rules import look
from everfit.alerts.notification import notify
from everfit.declaration.rollouts import stages_of
from everfit.stack.ports import any_free
from everfit.store import ledger, quarantines, requests, rollouts
from everfit.store.requests import RetrainRequest
from everfit.store.rollouts import Rollout
from everfit.store.tables import alerts, clocks, outcomes
from everfit.timing import wall_clock
from models.electricity_price import electricity_price as model
from monitors.promotion_age import overdue
from tests.hooks import Hook, listening

AT = datetime(1996, 9, 11, tzinfo=UTC)
MODELS = {model.name: model}


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as server:
        yield server


def fail(engine: sa.Engine, name: str = "r1") -> None:
    with engine.begin() as connection:
        requests.add(connection, RetrainRequest(name, model.name, "drift", "why", 1, AT, AT))
        requests.mark(connection, name, "failed", result="SourceError: price is 7")


def tick(engine: sa.Engine, channels: Channels) -> list[str]:
    """What one pass of the sensor tells."""
    with engine.connect() as connection:
        wrong = look(connection, MODELS)
    return [f"{notice.state} {notice.alert.cause}" for notice in notify(engine, wrong, channels)]


def test_a_failed_request_is_told_once_and_its_end_too(engine: sa.Engine, hook: Hook) -> None:
    assert tick(engine, Channels(hook.url)) == []
    fail(engine)
    assert tick(engine, Channels(hook.url)) == ["raised request:r1"]
    assert tick(engine, Channels(hook.url)) == []
    (posted,) = hook.posted
    assert posted["text"] == f"{model.name}: retraining for drift failed: SourceError: price is 7"
    with engine.begin() as connection:
        requests.mark(connection, "r1", "promoted")
    assert tick(engine, Channels(hook.url)) == ["resolved request:r1"]


def test_the_end_that_a_webhook_refuses_is_sent_again(engine: sa.Engine, hook: Hook) -> None:
    fail(engine)
    tick(engine, Channels(hook.url))
    with engine.begin() as connection:
        requests.mark(connection, "r1", "promoted")
    assert tick(engine, Channels(f"http://127.0.0.1:{any_free()}")) == []
    assert tick(engine, Channels(hook.url)) == [], "not before a minute has passed"
    with engine.begin() as connection:
        connection.execute(sa.update(alerts).values(tried_at=wall_clock() - timedelta(minutes=2)))
    assert tick(engine, Channels(hook.url)) == ["resolved request:r1"]
    assert tick(engine, Channels(hook.url)) == []
    assert [posted["state"] for posted in hook.posted] == ["raised", "resolved"]


def test_a_reminder_counts(engine: sa.Engine, hook: Hook) -> None:
    fail(engine)
    tick(engine, Channels(hook.url))
    with engine.begin() as connection:
        connection.execute(sa.update(alerts).values(last_sent_at=wall_clock() - timedelta(days=2)))
    assert tick(engine, Channels(hook.url)) == ["reminder request:r1"]
    assert hook.posted[-1]["sent_before"] == 1


def test_a_webhook_that_is_away_stops_nothing_and_its_address_is_masked(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    fail(engine)
    away = Channels(f"http://127.0.0.1:{any_free()}/secret")
    with caplog.at_level(logging.WARNING):
        assert tick(engine, away) == []
        assert tick(engine, away) == []
    assert "secret" not in caplog.text
    assert caplog.text.count("alert raised") == caplog.text.count("does not answer") == 1


def test_a_webhook_that_refuses_is_tried_again(engine: sa.Engine, hook: Hook) -> None:
    fail(engine)
    hook.status = 500
    assert tick(engine, Channels(hook.url)) == []
    with engine.begin() as connection:
        connection.execute(sa.update(alerts).values(tried_at=wall_clock() - timedelta(minutes=2)))
    hook.status = 200
    assert tick(engine, Channels(hook.url)) == ["raised request:r1"]


def test_a_quarantine_and_a_breaker(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for day in range(7):  # judged one by one, they are one alert
            span = (AT + timedelta(days=day), AT + timedelta(days=day + 1))
            quarantines.put(connection, model.name, span, {"demand": f"demand is stuck at {day}"})
        for number in range(model.limits.stop_after_rejections):
            asked = RetrainRequest(f"r{number}", model.name, "drift", "why", 1, AT, AT + timedelta(days=number))
            requests.add(connection, asked)
            requests.mark(connection, asked.id, "rejected")
        requests.mark(connection, asked.id, "promoted")  # and rolled back by its guard
        rollouts.add(connection, Rollout("r", model.name, 2, 1, stages_of([]), 0, AT, state="rolled_back", request=asked.id))
    assert sorted(tick(engine, Channels())) == ["raised breaker", "raised quarantine:1996-09-11T00:00"]
    with engine.begin() as connection:
        told = connection.execute(sa.select(alerts.c.message).where(alerts.c.cause.startswith("quarantine"))).scalar_one()
        assert f"`everfit quarantine release {model.name} --from 1996-09-11 --to 1996-09-18 --reason …`" in told
        assert "demand is stuck at 4; and 2 more; where it is right" in told
        first, *others = quarantines.of_model(connection, model.name)
        quarantines.release(connection, [first], "ann", "it was right")
    assert tick(engine, Channels()) == [], "what is left is the same cause"
    with engine.begin() as connection:
        quarantines.release(connection, others, "ann", "it was right")
    assert tick(engine, Channels()) == ["resolved quarantine:1996-09-11T00:00"]


def test_the_switch_asks_only_where_newer_labels_are_known(engine: sa.Engine) -> None:
    detail = {"manifest": "m", "trained_until": AT.isoformat(), "candidate": "c"}
    entry = ledger.Entry(model.name, "promoted", None, 1, "test", "bootstrap", "first", None, AT, detail)
    with engine.begin() as connection:
        ledger.append(connection, entry)
        row = {"model": model.name, "partition": 0, "newest": AT + timedelta(days=40), "seen_at": wall_clock()}
        connection.execute(sa.insert(clocks).values(row))
        (told,) = overdue(connection, MODELS, {model.name: None}).ongoing.values()
        assert "no label is known from after 1996-09-11" in told
        row = {"observed_at": AT + timedelta(days=39), "model": model.name, "request_id": "x", "outcome": 1.0}
        connection.execute(sa.insert(outcomes).values(row))
        for expected in ("a retraining is requested", "no retraining is requested: a retraining is under way"):
            (told,) = overdue(connection, MODELS, {model.name: None}).ongoing.values()
            assert told.endswith(expected)
        (asked,) = requests.in_status(connection, "pending")
        assert (asked.cause, asked.cutoff) == ("freshness", AT + timedelta(days=40) - model.log.lateness)
