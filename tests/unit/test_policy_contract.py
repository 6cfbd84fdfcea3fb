"""One contract for all policies: whatever a champion's windows lack, each decides, in words, and within the limits."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from everfit import AfterRows, AllOf, AnyOf, Decision, Finding, History, Limits, Majority, OnDrift, Regret, Timer
from everfit.declaration.retraining import PastRequest
from everfit.policy.decision import decide
from models.electricity_price import electricity_price

LIVE = datetime(1996, 9, 4, tzinfo=UTC)
WEEK = timedelta(days=7)
WINDOWS = 6

POLICIES: Mapping[str, Any] = {
    "OnDrift": OnDrift(),
    "Regret": Regret(),
    "Regret, cheap": Regret(cost=1e-9, comparator="light", every=4),
    "Timer": Timer("14d"),
    "AfterRows": AfterRows(500),
    "AnyOf": AnyOf(Regret(), OnDrift()),
    "AllOf": AllOf(Regret(cost=1e-9), OnDrift()),
    "Majority": Majority(Regret(), OnDrift(), AfterRows(500)),
}


def found(number: int, kind: str, verdict: str = "ok", length: timedelta = WEEK, **detail: Any) -> Finding:
    end = LIVE + number * WEEK
    told = f"{kind} of {number}: {verdict}"
    return Finding(f"{kind}-{number}", kind, verdict, told, end - length, end, None, None, detail)


def scored(number: int, champion: float, fresh: float, weeks: float = 1.0, rows: int = 336) -> Finding:
    return found(number, "regret", scored=[str(number), "then"], champion=champion, comparator=fresh, weeks=weeks, rows=rows)


def missing(number: int, what: str, **detail: Any) -> Finding:
    return found(number, "regret", "insufficient", missing=what, **detail)


def each_week(*kinds: Any) -> list[Finding]:
    return [make(number) for number in range(1, WINDOWS + 1) for make in kinds]


PASTS: Mapping[str, Sequence[Finding]] = {
    "no window": [],
    "no rows": each_week(lambda n: missing(n, "rows"), lambda n: found(n, "drift", "insufficient")),
    "one row": each_week(lambda n: missing(n, "labels", rows=1, scored=[str(n)])),
    "no labels ever": each_week(lambda n: missing(n, "labels", rows=0), lambda n: found(n, "performance", "insufficient")),
    "labels that stop": [scored(1, 0.5, 0.4), *(missing(n, "labels", rows=0) for n in range(2, WINDOWS + 1))],
    "no comparator ever": each_week(lambda n: missing(n, "comparator"), lambda n: found(n, "drift", "alarm")),
    "no policy wanted one": each_week(lambda n: missing(n, "policy", rows=300, scored=[str(n)])),
    "nothing could be judged": each_week(
        *(lambda n, kind=kind: found(n, kind, "insufficient", unjudged=True) for kind in ("drift", "regret"))
    ),
    "figures from before they were kept": each_week(lambda n: found(n, "regret"), lambda n: found(n, "drift", "alarm")),
    "a metric of 0": each_week(lambda n: scored(n, 0.0, 0.0, rows=0)),
    "a metric below 0": each_week(lambda n: scored(n, -0.1, -0.4)),
    "a fresh model without loss": each_week(lambda n: scored(n, 0.2, 0.0)),
    "losses as large as numbers go": each_week(lambda n: scored(n, 1e300, 1e-300)),
    "a window scored again and again": each_week(
        lambda n: found(n, "regret", scored=["1"], champion=0.5, comparator=0.4, weeks=1.0)
    ),
    "a window of no length": each_week(lambda n: scored(n, 0.5, 0.4, weeks=0.0)),
    "windows of another length": [
        *(found(n, "drift", "alarm", length=timedelta(days=1)) for n in (1, 2)),
        *(scored(n, 0.5, 0.4, weeks=n / 7) for n in (3, 4)),
    ],
    "kinds that no package has any more": each_week(lambda n: found(n, "coverage", "alarm", by_column={"gone": "why"})),
    "broken, and nothing else": each_week(lambda n: found(n, "quality", "alarm", by_column={"*": "no rows"})),
    "everything alarms": each_week(
        *(lambda n, kind=kind: found(n, kind, "alarm") for kind in ("quality", "drift", "performance", "freshness")),
        lambda n: scored(n, 0.9, 0.1),
    ),
}

CALM = ("no window", "no rows", "one row", "no labels ever", "a metric of 0", "broken, and nothing else")


def decided(policy: Any, findings: Sequence[Finding], *requests: PastRequest, **other: Any) -> Decision:
    at = LIVE + WINDOWS * WEEK
    current = [finding for finding in findings if finding.end == at]
    earlier = [finding for finding in findings if finding.end < at]
    model = electricity_price.model_copy(update={"retraining": policy, "limits": Limits()})
    return decide(model, at, current, History(1, LIVE, earlier, requests, **other))


@pytest.mark.parametrize("past", PASTS)
@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_decides_in_words_on_every_past(name: str, past: str) -> None:
    before = deepcopy(PASTS[past])
    decision = decided(POLICIES[name], PASTS[past])
    assert decision.reason.strip()
    assert "nan" not in decision.reason
    assert set(decision.evidence) <= {finding.id for finding in PASTS[past]}
    again = decided(POLICIES[name], [*reversed(PASTS[past])])
    assert (again.action, again.cause) == (decision.action, decision.cause), "whatever the order that evidence was read in"
    assert decided(POLICIES[name], PASTS[past]) == decision
    assert before == PASTS[past]


@pytest.mark.parametrize("past", CALM)
@pytest.mark.parametrize("name", [name for name in POLICIES if name != "Timer"])
def test_what_shows_nothing_asks_for_nothing(name: str, past: str) -> None:
    assert decided(POLICIES[name], PASTS[past]).action == "none"


@pytest.mark.parametrize("name", POLICIES)
def test_no_policy_asks_where_a_person_has_paused_or_a_retraining_is_under_way(name: str) -> None:
    findings = PASTS["everything alarms"]
    assert decided(POLICIES[name], findings).action == "retrain"
    paused = decided(POLICIES[name], findings, paused=True)
    assert (paused.action, "paused by a person" in paused.reason) == ("wait", True)
    launched = PastRequest("drift", "launched", LIVE + WEEK)
    assert "under way" in decided(POLICIES[name], findings, launched).reason
