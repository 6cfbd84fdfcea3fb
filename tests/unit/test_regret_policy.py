"""Regret as tables of cases: what is at stake, what it costs, which limits bind, and what is said of each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from everfit import Decision, Finding, GradientBoosting, History, Limits, Model, Regret, TrainingWindow
from everfit.declaration.retraining import PastRequest, Status
from everfit.errors import DeclarationError
from everfit.policy.decision import decide
from models.electricity_price import electricity_price

LIVE = datetime(1996, 9, 4, tzinfo=UTC)
WEEK = timedelta(days=7)
GAP = 0.05  # 8 % of 0.5 for a month is 0.1714: passed in the fourth week of this gap
NO_COMPARATOR = {"missing": "comparator"}


def week(number: int) -> datetime:
    return LIVE + WEEK * number


def scored(number: int, gap: float, fresh: float = 0.5) -> Finding:
    """The champion against a fresh model in the window of that number, from 1."""
    start, end = week(number - 1), week(number)
    detail = {
        "scored": [f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}"],
        "champion": fresh + gap,
        "comparator": fresh,
        "rows": 336,
        "labelled": 336,
        "weeks": 1.0,
    }
    return Finding(f"regret-{number}", "regret", "ok", "scored", start, end, gap, None, detail)


def unscored(number: int, **detail: object) -> Finding:
    return Finding(
        f"regret-{number}", "regret", "insufficient", "its fit failed", week(number - 1), week(number), None, None, detail
    )


def found(kind: str, verdict: str, number: int) -> Finding:
    return Finding(f"{kind}-{number}", kind, verdict, f"{kind} says {verdict}", week(number - 1), week(number))


def declared(policy: Any = None, **other: Any) -> Model:
    return electricity_price.model_copy(update={"retraining": policy or Regret(), **other})


def decided(model: Model, findings: Sequence[Finding], requests: Sequence[PastRequest] = (), **other: Any) -> Decision:
    """Decide on the newest of these windows."""
    end = max(finding.end for finding in findings)
    current = [finding for finding in findings if finding.end == end]
    earlier = [finding for finding in findings if finding.end < end]
    return decide(model, end, current, History(1, LIVE, earlier, requests, **other))


def asked(cause: str, status: Status, number: int) -> PastRequest:
    return PastRequest(cause, status, week(number))


def gaps(*values: float) -> list[Finding]:
    return [scored(number, gap) for number, gap in enumerate(values, 1)]


def test_no_is_explained_with_its_numbers_and_what_it_waits_for() -> None:
    decision = decided(declared(), gaps(0.01, 0.02))
    assert decision == Decision(
        "none",
        None,
        "at stake 0.0417 of a cost of 0.1714 (8 % of the metric for a month, of 0.5000): lost 0.0290 in 2 weeks, 0.0600 ahead; "
        "newest log loss 0.5200, fresh 0.5000; next: the window until 1996-09-25T00:00:00Z",
    )


def test_it_retrains_when_the_stakes_pass_the_cost() -> None:
    assert [decided(declared(), gaps(*[GAP] * number)).action for number in (1, 3, 4)] == ["none", "none", "retrain"]
    decision = decided(declared(), gaps(*[GAP] * 4))
    assert decision.cause == "regret"
    assert decision.evidence == tuple(f"regret-{number}" for number in range(1, 5))
    assert decision.reason.startswith("at stake 0.1854 of a cost of 0.1714")


@pytest.mark.parametrize("values", [(0.0, 0.0), (-0.1, -0.2), (0.3, 0.3, -0.01)], ids=["equal", "better", "made up for"])
def test_nothing_is_asked_where_the_newest_model_is_no_better(values: tuple[float, ...]) -> None:
    assert decided(declared(Regret(cost=1e-6)), gaps(*values)).action == "none"


def test_a_rejection_keeps_what_is_at_stake() -> None:
    model = declared(limits=Limits(cooldown="7d", retrains_per_month=4))
    rejected = [asked("regret", "rejected", 4)]
    assert decided(model, gaps(*[GAP] * 5), rejected).action == "retrain"


@pytest.mark.parametrize("kind", ["drift", "performance"])
def test_an_open_alarm_is_recorded_as_the_cause_and_alone_asks_for_nothing(kind: str) -> None:
    alarm = found(kind, "alarm", 4)
    decision = decided(declared(), [*gaps(*[GAP] * 4), alarm])
    assert (decision.action, decision.cause, decision.evidence[-1]) == ("retrain", kind, f"{kind}-4")
    assert decision.reason.endswith(f"; {kind}: {kind} says alarm")
    quiet = decided(declared(), [*gaps(*[0.0] * 4), alarm])
    assert (quiet.action, f"; {kind} alarm open: {kind} says alarm; next" in quiet.reason) == ("none", True)


def test_old_training_data_retrain_by_themselves() -> None:
    decision = decided(declared(), [*gaps(0.0), found("freshness", "alarm", 1)])
    assert (decision.action, decision.cause) == ("retrain", "freshness")


def test_a_window_without_a_comparator_is_told_and_what_is_known_counts() -> None:
    quiet = decided(declared(), [*gaps(GAP), unscored(2, **NO_COMPARATOR)])
    assert quiet.action == "none"
    assert "window until 1996-09-18T00:00:00Z not scored: its fit failed; next" in quiet.reason
    assert decided(declared(), [*gaps(*[GAP] * 4), unscored(5, **NO_COMPARATOR)]).action == "retrain"
    none_yet = decided(declared(), [unscored(1, missing="rows")])
    assert none_yet.reason == (
        "no regret known yet; window until 1996-09-11T00:00:00Z not scored: its fit failed; "
        "next: the window until 1996-09-18T00:00:00Z"
    )


@pytest.mark.parametrize("detail", [NO_COMPARATOR, {"unjudged": True}])
def test_alarms_decide_where_no_comparator_can_be_had(detail: dict[str, object]) -> None:
    blind = [*gaps(0.0), unscored(2, **detail), unscored(3, **detail)]
    assert decided(declared(), blind).reason == (
        "no comparator in the newest 2 windows (its fit failed), so alarms decide: nothing to act on: regret insufficient"
    )
    settled = electricity_price.drift.model_copy(update={"settle": timedelta()})
    alarmed = decided(declared(drift=settled), [*blind, found("drift", "alarm", 3)])
    assert (alarmed.action, alarmed.cause) == ("retrain", "drift")
    assert "so alarms decide: drift says alarm" in alarmed.reason
    late = [*gaps(0.0), unscored(2, missing="labels"), unscored(3, missing="labels")]
    assert "alarms decide" not in decided(declared(), late).reason, "labels that are late are no lack of comparators"


def test_a_limit_that_binds_is_told_with_the_cost_that_would_keep_below() -> None:
    model = declared(Regret(cost=0.01), limits=Limits(cooldown="0d", retrains_per_month=2))
    earlier = [asked("regret", "promoted", 1), asked("regret", "promoted", 2)]
    decision = decided(model, gaps(0.02, 0.02, 0.02), earlier)
    assert (decision.action, decision.cause) == ("wait", "regret")
    assert "2 retrainings in 30 days, at most 2 are allowed; a cost of 0.0616 would keep below the limits" in decision.reason
    words = declared(Regret(cost="1 % of the metric for a week"), limits=model.limits)
    told = decided(words, gaps(0.02, 0.02, 0.02), earlier).reason
    assert "a cost of 2.9 % of the metric for a month would keep below the limits at this pace; next: the window" in told
    under_way = decided(model, gaps(0.02), [asked("regret", "launched", 1)])
    assert "a retraining is under way; next" in under_way.reason, "no limit, so no cost"


def test_late_labels_are_told() -> None:
    late = declared(training=TrainingWindow(label_delay="31d"))
    assert (
        "fresh 0.5000 of the window until 1996-09-11T00:00:00Z, the newest whose labels are all due after 31d"
        in decided(late, gaps(GAP)).reason
    )


def test_evidence_from_before_figures_were_kept_is_no_score() -> None:
    assert decided(declared(), [found("regret", "ok", 1)]).reason.startswith("no regret known yet")


@pytest.mark.parametrize(
    ("cost", "units"),
    [
        (0.12, 0.12),
        ("8 % of the metric for a month", 0.08 * 0.5 * 30 / 7),
        ("8% of the metric for 2 weeks", 0.08),
        ("1.5 % of the metric for a year", 0.015 * 0.5 * 365 / 7),
        ("360 s at 3 an hour, where 0.01 of the metric is worth 20 a week", 0.3 * 0.01 / 20),
    ],
)
def test_costs_in_words(cost: float | str, units: float) -> None:
    from everfit.policy.cost import parse_cost

    assert parse_cost(cost).at(0.5) == pytest.approx(units)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"cost": "much"}, "cost: 'much' is no cost; write '8 % of the metric for a month'"),
        ({"cost": "8 % of the metric"}, "is no cost; write"),
        ({"cost": 0}, "0.*: a cost is above 0, and finite; to retrain whenever it gains anything, give a small one"),
        ({"cost": -1.0}, "-1.0: a cost is above 0"),
        ({"cost": float("nan")}, "nan: a cost is above 0"),
        ({"cost": "0 % of the metric for a month"}, "a cost is above 0"),
        ({"cost": "3 s at 3 an hour, where 0 of the metric is worth 20 a week"}, "what the metric is worth must be above 0"),
        ({"every": 0}, "every: .*greater than or equal to 1, got 0"),
        ({"comparator": "heavy"}, "comparator.*'recipe' or 'light', got 'heavy'"),
        ({"price": 3}, "price: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_declared_is_refused_with_its_value(given: dict[str, Any], why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        Regret(**given)


def test_it_is_written_with_all_that_it_decides_by() -> None:
    assert repr(Regret()) == "Regret(cost='8 % of the metric for a month', comparator='recipe', every=1)"
    assert "GradientBoosting(name='gradient_boosting'" in repr(Regret(comparator=GradientBoosting(trees=10)))
