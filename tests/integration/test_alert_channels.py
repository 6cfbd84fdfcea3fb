"""Alert channels from outside the package, in a real Postgres beside a real webhook: each fails and recovers alone."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest
import sqlalchemy as sa

from everfit.alerts import channels as module
from everfit.alerts import loop_alerts
from everfit.alerts.channels import Channels
from everfit.alerts.notification import notify
from everfit.alerts.state import Findings, Notice
from everfit.doctor.extension_checks import extension_checks
from everfit.environment.extensions import extensions
from everfit.store.tables import alerts
from everfit.timing import wall_clock
from tests.extensions import Install
from tests.hooks import Hook, listening

PAGER = """
class Pager:
    notices, away = [], False

    def send(self, notice):
        if self.away:
            raise ConnectionError("no line")
        self.notices.append((notice.state, notice.alert.cause, notice.text))
"""
WRONG = Findings({"request"}, {("m", "request:1"): "it failed", ("m", "request:2"): "it failed too"}, {})
CAUSES = ["raised request:1", "raised request:2"]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as server:
        yield server


@pytest.fixture
def pager(install: Install) -> type:
    install(PAGER, alert_channels="Pager")
    added: type = extensions("alert_channels")["pager"]
    return added


def a_pass(engine: sa.Engine, channels: Channels) -> list[str]:
    """A pass of the loop a retry later: the notices that all channels have accepted."""
    with engine.begin() as connection:
        connection.execute(sa.update(alerts).values(tried_at=alerts.c.tried_at - timedelta(minutes=2)))
    return [f"{notice.state} {notice.alert.cause}" for notice in notify(engine, WRONG, channels)]


def test_a_channel_from_outside_gets_each_notice_once(engine: sa.Engine, hook: Hook, pager: type) -> None:
    channels = Channels.from_environment({"EVERFIT_ALERT_WEBHOOK": hook.url})
    assert a_pass(engine, channels) == CAUSES
    assert a_pass(engine, channels) == []
    assert pager.notices == [("raised", "request:1", "m: it failed"), ("raised", "request:2", "m: it failed too")]  # type: ignore[attr-defined]
    assert [posted["cause"] for posted in hook.posted] == ["request:1", "request:2"]


@pytest.mark.parametrize("away", ["pager", "webhook"])
def test_only_the_channel_that_was_away_is_sent_a_notice_again(
    engine: sa.Engine, hook: Hook, pager: type, away: str, caplog: pytest.LogCaptureFixture
) -> None:
    channels = Channels.from_environment({"EVERFIT_ALERT_WEBHOOK": hook.url})
    pager.away, hook.status = away == "pager", 500 if away == "webhook" else 200  # type: ignore[attr-defined]
    assert a_pass(engine, channels) == []
    assert a_pass(engine, channels) == []
    pager.away, hook.status = False, 200  # type: ignore[attr-defined]
    assert a_pass(engine, channels) == CAUSES
    assert [cause for _, cause, _ in pager.notices] == ["request:1", "request:2"]  # type: ignore[attr-defined]
    attempts = {"webhook": ["request:1", "request:1", "request:1", "request:2"], "pager": ["request:1", "request:2"]}
    assert [posted["cause"] for posted in hook.posted] == attempts[away], "the rest waits for the first that is not accepted"
    assert caplog.text.count("alert raised: m: it failed too") == 1
    reasons = {
        "pager": "alert channel pager fails at send: ConnectionError: no line",
        "webhook": "refuses an alert with status 500",
    }
    assert caplog.text.count(reasons[away]) == 2
    with engine.connect() as connection:
        assert connection.execute(sa.select(alerts.c.count)).scalars().all() == [1, 1]


class _Slow:
    """A channel that hangs until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.accepted: list[str] = []
        self.accepted_one = threading.Event()

    def send(self, notice: Notice) -> None:
        """Hang, then accept."""
        assert self.release.wait(30)
        self.accepted.append(notice.alert.cause)
        self.accepted_one.set()


def test_a_channel_that_hangs_holds_up_nothing(
    engine: sa.Engine, hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.2)
    slow = _Slow()
    make: Callable[[], _Slow] = lambda: slow  # noqa: E731 - a maker, as an entry point gives it
    channels = Channels(hook.url, added={"slow": make})
    with caplog.at_level(logging.WARNING):
        began = wall_clock()
        assert a_pass(engine, channels) == a_pass(engine, channels) == []
    assert wall_clock() - began < timedelta(seconds=10)
    assert [posted["cause"] for posted in hook.posted] == ["request:1", "request:2"]
    assert "alert channel slow takes more than 0.2 s for send" in caplog.text
    assert "alert channel slow is still busy with an earlier send" in caplog.text
    slow.release.set()
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 10.0)
    assert slow.accepted_one.wait(30)
    assert a_pass(engine, channels) == CAUSES
    assert slow.accepted == ["request:1", "request:2"], "what was accepted late is not sent again"


BROKEN: Mapping[str, tuple[str, str]] = {
    "unimportable": ("import sys; sys.exit(3)", "cannot be imported (SystemExit: 3)"),
    "exits": ("class Broken:\n    def send(self, notice):\n        raise SystemExit(3)", "fails at send: SystemExit: 3"),
    "no maker": ("Broken = 5", "fails at send: TypeError: 'int' object is not callable"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_channel_that_cannot_be_used_stops_neither_the_others_nor_the_tick(
    engine: sa.Engine, hook: Hook, pager: type, install: Install, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    source, reason = BROKEN[fault]
    install(source, alert_channels="Broken")
    a_pass(engine, Channels.from_environment({"EVERFIT_ALERT_WEBHOOK": hook.url}))
    assert [posted["cause"] for posted in hook.posted] == ["request:1", "request:2"]
    assert [cause for _, cause, _ in pager.notices] == ["request:1", "request:2"]  # type: ignore[attr-defined]
    assert reason in caplog.text
    assert "broken" in caplog.text


def test_a_channel_with_the_name_of_ours_is_left_out_and_named_with_its_package(
    engine: sa.Engine, hook: Hook, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(PAGER.replace("Pager", "Webhook"), alert_channels="Webhook")
    assert a_pass(engine, Channels.from_environment({"EVERFIT_ALERT_WEBHOOK": hook.url})) == CAUSES
    assert [posted["cause"] for posted in hook.posted] == ["request:1", "request:2"]
    (check,) = extension_checks({})
    assert not check.ok
    assert check.message in caplog.text
    assert "everfit.alert_channels 'webhook' of extension_0_" in check.message


def test_alerts_that_fail_are_logged_and_do_not_fail_the_tick(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EVERFIT_ALERT_REMINDER", "soon")
    module.installed_channels.cache_clear()
    loop_alerts.send(engine, {})
    assert "alerts are not sent; the next tick tries again" in caplog.text
    assert "EVERFIT_ALERT_REMINDER" in caplog.text
