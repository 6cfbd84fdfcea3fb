"""What Dagster tells of its sensors and schedules, as `everfit status` shows it."""

from typing import Any

import httpx
import pytest

from everfit.embedded.automation import automations

NEXT = 1_767_319_200  # 2026-01-02T02:00:00Z


def told(ticks: list[dict[str, Any]], *, status: str = "RUNNING") -> dict[str, Any]:
    """The webserver's answer where one schedule is declared."""
    schedule = {
        "name": "backfill_0200",
        "scheduleState": {"status": status, "ticks": ticks},
        "futureTicks": {"results": [{"timestamp": NEXT}]},
    }
    node = {"sensors": [], "schedules": [schedule]}
    return {"data": {"repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": [node]}}}


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (told([]), "its first tick, 2026-01-02 02:00 UTC"),
        (told([], status="STOPPED"), "it is off: switch it on in Dagster, under Automation"),
        (
            told([{"timestamp": NEXT, "status": "SUCCESS", "skipReason": None, "error": None, "runIds": ["a", "b"]}]),
            "2 runs that it launched",
        ),
    ],
)
def test_it_says_what_is_waited_for(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], waits: str) -> None:
    request = httpx.Request("POST", "http://dagster/graphql")
    monkeypatch.setattr(httpx, "post", lambda *_, **__: httpx.Response(200, json=answer, request=request))
    (schedule,) = automations("http://dagster")
    assert schedule.waits == waits
