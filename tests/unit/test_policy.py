"""The policy as tables of cases: when it retrains, waits, or does nothing, and what it says."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from everfit.declaration import DriftPolicy, Limits, Model
from everfit.policy import Cause, Decision, Finding, History, PastRequest, Status, decide, request_id
from models.electricity_price import electricity_price

GO_LIVE = datetime(1996, 9, 4, tzinfo=UTC)
WEEK = timedelta(days=7)


def week(number: int) -> datetime:
    """End of the window of that number, from 1."""
    return GO_LIVE + WEEK * number


def found(kind: str, verdict: str, number: int) -> Finding:
    """One verdict on the window of that number."""
    return Finding(f"{kind}-{number}", kind, verdict, f"{kind} says {verdict}", week(number - 1), week(number))


def declared(*, settle: str = "0d", agree: int = 1, of: int = 1, **limits: object) -> Model:
    """The electricity model with another drift policy and other limits."""
    drift = DriftPolicy(window="7d", settle=settle, agree=agree, of=of)
    return electricity_price.model_copy(update={"drift": drift, "limits": Limits(**limits)})


def decided(
    model: Model,
    verdicts: Sequence[str],
    *,
    kind: str = "drift",
    fresh: bool = True,
    requests: Sequence[PastRequest] = (),
    trained_until: datetime = GO_LIVE,
) -> Decision:
    """Decide on the last of these windows, all earlier ones being history."""
    findings = [found(kind, verdict, number) for number, verdict in enumerate(verdicts, 1)]
    current = [findings[-1], found("freshness", "ok" if fresh else "alarm", len(verdicts))]
    history = History(1, trained_until, findings[:-1], requests)
    return decide(model, week(len(verdicts)), current, history)


def asked(cause: Cause, status: Status, number: int) -> PastRequest:
    """A request made at the end of the window of that number."""
    return PastRequest(cause, status, week(number))


def test_quiet_windows_ask_for_nothing_and_say_so() -> None:
    decision = decided(declared(), ["ok", "ok"])
    assert decision == Decision("none", None, "nothing to act on: drift ok, freshness ok")


@pytest.mark.parametrize("kind", ["drift", "performance"])
def test_an_alarm_retrains_for_its_cause_on_its_evidence(kind: str) -> None:
    assert decided(declared(), ["ok", "alarm"], kind=kind) == Decision("retrain", kind, f"{kind} says alarm", (f"{kind}-2",))  # type: ignore[arg-type]


def test_quality_alone_never_retrains() -> None:
    assert decided(declared(), ["alarm"], kind="quality").action == "none"


def test_a_change_waits_until_labels_from_after_it_have_settled() -> None:
    model = declared(settle="14d")
    waiting = decided(model, ["ok", "alarm"])
    assert (waiting.action, waiting.cause) == ("wait", "drift")
    assert "until 1996-09-25T00:00:00Z" in waiting.reason
    assert decided(model, ["ok", "alarm", "alarm"]).evidence == ("drift-2", "drift-3")


def test_a_quiet_window_ends_the_episode() -> None:
    model = declared(settle="14d")
    assert decided(model, ["alarm", "ok"]).action == "none"
    assert decided(model, ["alarm", "ok", "alarm"]).action == "wait", "a new episode settles anew"


@pytest.mark.parametrize(
    ("verdicts", "action"),
    [
        (["alarm"], "none"),
        (["alarm", "alarm"], "retrain"),
        (["alarm", "ok", "alarm"], "retrain"),
        (["alarm", "ok", "ok", "alarm"], "none"),
        (["alarm", "alarm", "ok"], "retrain"),
        (["alarm", "alarm", "ok", "ok"], "retrain"),
        (["alarm", "alarm", "ok", "ok", "ok"], "none"),
    ],
)
def test_two_of_three_windows_make_an_episode_and_three_quiet_ones_end_it(verdicts: list[str], action: str) -> None:
    assert decided(declared(agree=2, of=3), verdicts).action == action


def test_windows_with_too_few_rows_neither_open_nor_end_an_episode() -> None:
    assert decided(declared(), ["insufficient"]).action == "none"
    assert decided(declared(settle="14d"), ["alarm", "insufficient"]).action == "retrain"


def test_days_that_the_champion_has_seen_are_no_evidence() -> None:
    decision = decided(declared(), ["alarm"], trained_until=GO_LIVE + timedelta(days=3))
    assert decision.action == "wait"
    assert "only 4 of 7 days" in decision.reason


def test_nothing_is_asked_while_a_retraining_is_under_way() -> None:
    for status in ("pending", "launched"):
        assert "under way" in decided(declared(), ["ok", "alarm"], requests=[asked("drift", status, 1)]).reason


def test_cooldown_counts_from_the_last_request() -> None:
    model = declared(cooldown="14d")
    assert "cooling down for 14d" in decided(model, ["ok", "alarm"], requests=[asked("drift", "rejected", 1)]).reason
    assert decided(model, ["ok", "ok", "alarm"], requests=[asked("drift", "rejected", 1)]).action == "retrain"


def test_the_quota_holds_for_thirty_days() -> None:
    model = declared(retrains_per_month=2)
    earlier = [asked("drift", "promoted", 1), asked("drift", "promoted", 2)]
    assert "at most 2" in decided(model, ["ok", "ok", "alarm"], requests=earlier).reason
    assert decided(model, ["ok"] * 5 + ["alarm"], requests=earlier).action == "retrain"


def test_the_breaker_opens_after_rejections_and_closes_again() -> None:
    model = declared(stop_after_rejections=2, reopen_after="28d", retrains_per_month=9)
    rejected = [asked("drift", "rejected", 1), asked("drift", "rejected", 2)]
    assert "2 candidates in a row" in decided(model, ["ok"] * 3 + ["alarm"], requests=rejected).reason
    assert decided(model, ["ok"] * 5 + ["alarm"], requests=rejected).action == "retrain"


def test_freshness_retrains_by_itself() -> None:
    assert decided(declared(), ["ok", "ok"], fresh=False).cause == "freshness"


def test_neither_a_pending_alarm_nor_rejections_hold_freshness_back() -> None:
    model = declared(settle="28d", stop_after_rejections=1, cooldown="28d", retrains_per_month=9)
    decision = decided(model, ["ok", "alarm"], fresh=False, requests=[asked("drift", "rejected", 1)])
    assert (decision.action, decision.cause) == ("retrain", "freshness")


def test_freshness_is_held_back_by_its_own_attempts() -> None:
    decision = decided(declared(cooldown="14d"), ["ok", "ok"], fresh=False, requests=[asked("freshness", "rejected", 1)])
    assert (decision.action, decision.cause) == ("wait", "freshness")
    assert "cooling down" in decision.reason


def test_a_request_is_the_same_whoever_asks_and_another_for_another_cause_window_or_policy() -> None:
    model = declared()
    asked_once = request_id(model, 1, week(1), "drift")
    assert asked_once == request_id(model, 1, week(1), "drift")
    others = {
        request_id(model, 1, week(1), "freshness"),
        request_id(model, 1, week(2), "drift"),
        request_id(model, 2, week(1), "drift"),
        request_id(declared(settle="7d"), 1, week(1), "drift"),
    }
    assert asked_once not in others
    assert len(others) == 4
