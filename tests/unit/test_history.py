"""How `everfit history` tells a person on call what became of the champion, and why."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from everfit.cli.main import app
from everfit.cli.told_history import champion_change, told_history
from everfit.runtime import Runtime
from everfit.store.decided_windows import DecidedWindow, Forecast
from tests.events import MODEL

LIVE = datetime(1996, 9, 4, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


def week(number: int) -> datetime:
    return LIVE + timedelta(days=7) * number


def decided(number: int, action: str = "none", cause: str | None = None, champion: int = 1) -> DecidedWindow:
    return DecidedWindow(week(number), champion, action, cause, f"at stake 0.{number}")


def entry(number: int, action: str, before: int | None, after: int | None, **other: Any) -> dict[str, Any]:
    at = week(number) + HALF_HOUR
    return {
        "event_time": at,
        "action": action,
        "from_version": before,
        "to_version": after,
        "cause": "regret",
        "reason": "why",
    } | other


@pytest.mark.parametrize(
    ("before", "after", "told"), [(None, 1, "none → 1"), (1, 2, "1 → 2"), (2, None, "2 stays"), (None, None, "none")]
)
def test_a_rejection_leaves_the_champion(before: int | None, after: int | None, told: str) -> None:
    assert champion_change(before, after) == told


def test_a_year_is_told_in_stretches_between_what_happened() -> None:
    windows = [
        *(decided(number) for number in (1, 2, 3)),
        decided(4, "wait", "drift"),
        decided(5, "wait", "drift"),
        decided(6, "retrain", "regret"),
        *(decided(number, champion=2) for number in (7, 8)),
    ]
    entries = [
        entry(0, "promoted", None, 1, cause="bootstrap", event_time=LIVE),
        entry(6, "promoted", 1, 2),
        entry(7, "confirmed", 2, None),
    ]
    assert list(told_history(entries, windows, {2: Forecast(0.02, 0.0153, 21)})) == [
        "1996-09-04 00:00  promoted     none → 1 bootstrap: why",
        "1996-09-25 00:00  quiet        1 stays  3 windows since 1996-09-11; the newest: at stake 0.3",
        "1996-10-09 00:00  waits        1 stays  2 windows since 1996-10-02; the newest: drift: at stake 0.5",
        "1996-10-16 00:00  asks         1 stays  regret: at stake 0.6",
        "1996-10-16 00:30  promoted     1 → 2    regret: why",
        " " * 40
        + "gain a row: +0.0200 expected by the newest regret; +0.0153 measured beside the champion before it, on 21 days",
        "1996-10-23 00:00  quiet        2 stays  at stake 0.7",
        "1996-10-23 00:30  confirmed    2 stays  regret: why",
        "1996-10-30 00:00  quiet        2 stays  at stake 0.8",
    ]


def test_each_request_has_a_line_of_its_own() -> None:
    asked = [decided(number, "retrain", "regret") for number in (1, 2)]
    assert len(list(told_history([], asked, {}))) == 2


def test_a_gain_that_no_day_has_shown_is_not_told_as_one() -> None:
    lines = list(told_history([entry(1, "promoted", 1, 2)], [], {2: Forecast(0.02, None, 0)}))
    assert lines[-1].endswith("gain a row: +0.0200 expected by the newest regret; no day has shown it yet")
    assert len(list(told_history([entry(1, "promoted", 1, 2)], [], {2: Forecast(None, 0.01, 9)}))) == 1


@pytest.mark.parametrize(("asked", "exit_code"), [(["--request", "r"], 1), (["--at", "1996-09-04"], 1), ([], 0)])
def test_what_is_not_known_is_no_success(asked: list[str], exit_code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runtime, "load", lambda: nullcontext(SimpleNamespace(models={MODEL.name: MODEL}, engine=None)))
    for name in ("_answered", "_entries"):
        monkeypatch.setattr(f"everfit.cli.history.{name}", lambda *_: [])
    told = CliRunner().invoke(app, ["history", MODEL.name, *asked, "--json"])
    assert (told.exit_code, told.stdout.strip()) == (exit_code, "[]")
