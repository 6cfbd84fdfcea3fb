"""The policy as tables of cases: when it retrains, waits, or does nothing, and what it says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit import DriftPolicy, Gate, Limits, Model, Question, TrainingWindow
from everfit.declaration.retraining import Decision, Finding, History, Inconclusive, PastRequest, Status
from everfit.policy.decision import decide
from everfit.policy.limits import refusal
from everfit.policy.on_drift import OnDrift
from everfit.store import requests
from everfit.timing import format_time
from models.electricity_price import electricity_price as shipped

electricity_price = shipped.model_copy(update={"retraining": None})  # by the default policy
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
    return electricity_price.model_copy(update={"drift": drift, "limits": Limits(**limits), "retraining": None})


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


def asked(cause: str, status: Status, number: int) -> PastRequest:
    """A request made at the end of the window of that number."""
    return PastRequest(cause, status, week(number))


def test_quiet_windows_ask_for_nothing_and_say_so() -> None:
    decision = decided(declared(), ["ok", "ok"])
    assert decision == Decision("none", None, "nothing to act on: drift ok, freshness ok")


@pytest.mark.parametrize("kind", ["drift", "performance"])
def test_an_alarm_retrains_for_its_cause_on_its_evidence(kind: str) -> None:
    assert decided(declared(), ["ok", "alarm"], kind=kind) == Decision("retrain", kind, f"{kind} says alarm", (f"{kind}-2",))


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
    better = declared().model_copy(update={"gate": Gate(by_cause={"drift": Question(prove="better")})})
    waits = decided(better, ["alarm"], trained_until=GO_LIVE + timedelta(days=3))
    assert waits.action == "wait"
    assert "only 4 of 7 days" in waits.reason
    assert decided(better, ["alarm"]).action == "retrain", "the last half-hour of seven days need not be labelled yet"
    slow = better.model_copy(update={"training": TrainingWindow(label_delay="1d")})
    assert "only 6 of 7 days" in decided(slow, ["alarm"]).reason
    assert decided(declared(), ["alarm"], trained_until=GO_LIVE + timedelta(days=3)).action == "retrain", (
        "it is left to the guard"
    )
    assert "learnt all that is known" in decided(declared(), ["alarm"], trained_until=GO_LIVE + WEEK).reason


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


def test_a_version_that_failed_live_counts_as_a_rejection() -> None:
    model = declared(stop_after_rejections=2, reopen_after="28d", retrains_per_month=9)
    failed = [
        replace(asked("drift", "promoted", 1), taken_back=True),
        replace(asked("drift", "in_rollout", 2), taken_back=True),
    ]
    assert (
        "2 candidates in a row were rejected or failed live" in decided(model, ["ok"] * 3 + ["alarm"], requests=failed).reason
    )
    stayed = [failed[0], asked("drift", "promoted", 2)]
    assert decided(model, ["ok"] * 3 + ["alarm"], requests=stayed).action == "retrain"


@pytest.mark.parametrize("cause", ["drift", "freshness"])
def test_after_a_rollback_nothing_is_asked_until_a_day_of_outcomes_from_after_it_is_known(cause: str) -> None:
    model = declared()
    back = week(3)
    known = back + timedelta(days=1) + model.training.label_delay

    def refused(at: datetime) -> str:
        return refusal(model, at, cause, History(1, GO_LIVE, [], [], rolled_back_at=back))

    waiting = f"waiting for a day of outcomes from after it until {format_time(known)}"
    assert refused(known - timedelta(minutes=1)) == f"a version was rolled back at {format_time(back)}; {waiting}"
    assert refused(known) == ""


@pytest.mark.parametrize("cause", ["drift", "freshness"])
def test_nothing_is_asked_while_a_version_is_in_its_rollout(cause: str) -> None:
    assert refusal(declared(), week(3), cause, History(1, GO_LIVE, [], [], challenger=2)) == "version 2 is in its rollout"


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


def test_no_quota_that_other_causes_used_up_holds_freshness_back() -> None:
    model = declared(retrains_per_month=2, cooldown="0d")
    others = [asked("drift", "rejected", 1), asked("person", "promoted", 1), asked("performance", "promoted", 2)]
    assert decided(model, ["ok"] * 3, fresh=False, requests=others).action == "retrain"
    own = [asked("freshness", "rejected", 1), asked("freshness", "rejected", 2)]
    refused = decided(model, ["ok"] * 3, fresh=False, requests=[*others, *own])
    assert (refused.action, refused.cause) == ("wait", "freshness")
    assert "2 retrainings for freshness in 30 days, at most 2" in refused.reason


@pytest.mark.parametrize("cause", ["person", "bootstrap"])
def test_what_a_person_asks_for_is_counted_by_no_limit(cause: str) -> None:
    model = declared(retrains_per_month=1, stop_after_rejections=1, cooldown="14d")
    by_hand = [asked(cause, status, 1) for status in ("rejected", "promoted", "failed")]
    assert decided(model, ["ok", "alarm"], requests=by_hand).action == "retrain"
    assert decided(model, ["ok", "ok"], fresh=False, requests=by_hand).action == "retrain"


def test_a_failed_request_uses_up_no_quota_and_cools_down_all_the_same() -> None:
    failed = [asked("freshness", "failed", 1)]
    assert (
        decided(declared(retrains_per_month=1, cooldown="7d"), ["ok", "ok"], fresh=False, requests=failed).action == "retrain"
    )
    assert "cooling down" in decided(declared(cooldown="14d"), ["ok", "ok"], fresh=False, requests=failed).reason


@pytest.mark.parametrize("cause", ["drift", "freshness"])
def test_a_request_that_failed_for_good_is_not_the_end_of_retraining(cause: str) -> None:
    failed = [asked(cause, "failed", number) for number in range(1, 5)]
    decision = decided(declared(), ["ok"] * 4 + ["alarm"], fresh=cause == "drift", requests=failed)
    assert (decision.action, decision.cause) == ("retrain", cause)


def test_where_the_champion_is_too_old_a_change_is_told_beside_it() -> None:
    decision = decided(declared(), ["alarm"], fresh=False)
    assert (decision.action, decision.cause) == ("retrain", "freshness")
    assert decision.reason == "freshness says alarm; besides, drift: drift says alarm"
    assert decision.evidence == ("freshness-1", "drift-1")


CAUSES = st.sampled_from(["drift", "performance", "person", "bootstrap", "freshness"])
ENDS = st.sampled_from(["promoted", "rejected", "failed"])


@given(
    verdicts=st.lists(st.sampled_from(["ok", "alarm", "insufficient"]), min_size=1, max_size=12),
    past=st.lists(st.tuples(CAUSES, ENDS, st.integers(0, 12)), max_size=20),
    settle=st.sampled_from(["0d", "14d"]),
    cooldown=st.sampled_from(["0d", "7d", "28d"]),
    limits=st.tuples(st.integers(1, 4), st.integers(1, 3)),
)
def test_an_old_champion_is_retrained_within_the_limits_of_freshness_itself(
    verdicts: list[str], past: list[tuple[str, Status, int]], settle: str, cooldown: str, limits: tuple[int, int]
) -> None:
    model = declared(settle=settle, cooldown=cooldown, retrains_per_month=limits[0], stop_after_rejections=limits[1])
    now = len(verdicts)
    requests = sorted((asked(*one) for one in past if one[2] <= now), key=lambda one: one.requested_at)
    own = [one for one in requests if one.cause == "freshness"]
    within = [one for one in own if week(now) - one.requested_at < timedelta(days=30) and one.status != "failed"]
    allowed = len(within) < limits[0] and all(week(now) >= one.requested_at + model.limits.cooldown for one in own)
    decision = decided(model, verdicts, fresh=False, requests=requests)
    if allowed:
        assert (decision.action, decision.cause) == ("retrain", "freshness")
    assert decision.reason
    alone = decided(model, verdicts, fresh=False, requests=own)
    assert (decision.cause == "freshness" and decision.action == "retrain") == (
        alone.cause == "freshness" and alone.action == "retrain"
    ), "what others asked for changes nothing"


def request_id(model: Model, champion: int | None, cutoff: datetime, cause: str) -> str:
    return requests.new(model, cause, "because", champion=champion, cutoff=cutoff).id


def test_a_request_has_one_id_and_another_for_another_cause_window_champion_or_policy() -> None:
    model = declared()
    first = request_id(model, 1, week(1), "drift")
    assert first == request_id(model, 1, week(1), "drift")
    others = {
        request_id(model, 1, week(1), "freshness"),
        request_id(model, 1, week(2), "drift"),
        request_id(model, 2, week(1), "drift"),
        request_id(declared(settle="7d"), 1, week(1), "drift"),
        request_id(model.model_copy(update={"retraining": OnDrift()}), 1, week(1), "drift"),
    }
    assert first not in others
    assert len(others) == 5


def test_a_declaration_keeps_the_ids_of_its_requests() -> None:
    by_default = electricity_price.model_copy(update={"retraining": None})
    assert request_id(by_default, 1, week(1), "drift") == "7df4f895d1e537c2"
    assert request_id(by_default, None, GO_LIVE, "bootstrap") == "6cb1a152648c6002"


WAITS = Inconclusive(week(1), "more days may tell")


@pytest.mark.parametrize(
    ("verdicts", "requests", "decided_on"),
    [
        (["ok", "ok"], [], ("retrain", "second_look")),
        (["ok", "alarm"], [asked("drift", "inconclusive", 1)], ("retrain", "second_look")),
        (["ok", "alarm"], [asked("drift", "launched", 1)], ("wait", "drift")),
        (["alarm"], [], ("retrain", "drift")),
        (["alarm"] * 6, [], ("retrain", "drift")),
    ],
    ids=["quiet", "instead of training another", "one at a time", "not in the window of the verdict", "given up after 28 days"],
)
def test_an_inconclusive_candidate_is_judged_again_first(
    verdicts: list[str], requests: list[PastRequest], decided_on: tuple[str, str]
) -> None:
    findings = [found("drift", verdict, number) for number, verdict in enumerate(verdicts, 1)]
    history = History(1, GO_LIVE - 9 * WEEK, findings[:-1], requests, inconclusive=WAITS)
    decision = decide(declared(), week(len(verdicts)), findings[-1:], history)
    assert (decision.action, decision.cause) == decided_on
    assert decision.cause != "second_look" or decision.reason.endswith("before: more days may tell")


def test_a_second_look_is_counted_by_no_quota_and_its_end_by_the_breaker() -> None:
    looks = [asked("drift", "inconclusive", 1), *(asked("second_look", "inconclusive", number) for number in (2, 3, 4, 5))]
    assert decided(declared(), ["ok"] * 4 + ["alarm"], requests=looks, trained_until=GO_LIVE).action == "retrain"
    ends = [
        each
        for number in (1, 3, 5)
        for each in (asked("drift", "inconclusive", number), asked("second_look", "rejected", number + 1))
    ]
    stopped = decided(declared(retrains_per_month=9), ["ok"] * 6 + ["alarm"], requests=ends)
    assert (stopped.action, "3 candidates in a row were rejected" in stopped.reason) == ("wait", True)
