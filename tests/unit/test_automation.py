"""What Dagster tells of its sensors and schedules, as `everfit status` shows it."""

from typing import Any

import httpx
import pytest

from everfit.dagster_api.automation import HEARTBEAT_SECONDS, automations
from everfit.dagster_api.client import GraphQL, UnansweredError
from everfit.dagster_api.runs import Orchestrator

NOW = 1_767_300_000.0
NEXT = 1_767_319_200  # 2026-01-02T02:00:00Z


def told(ticks: list[dict[str, Any]], *, status: str = "RUNNING") -> dict[str, Any]:
    """The webserver's answer where one schedule is declared."""
    schedule = {
        "name": "backfill_0200",
        "scheduleState": {"status": status, "ticks": ticks},
        "futureTicks": {"results": [{"timestamp": NEXT}]},
    }
    node = {"sensors": [], "schedules": [schedule]}
    beats = [{"daemonType": "SENSOR", "lastHeartbeatTime": NOW}, {"daemonType": "SCHEDULER", "lastHeartbeatTime": NOW}]
    return {
        "data": {
            "instance": {"daemonHealth": {"allDaemonStatuses": beats}},
            "repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": [node]},
        }
    }


def answering(monkeypatch: pytest.MonkeyPatch, *answers: httpx.Response) -> list[dict[str, Any]]:
    """A webserver that gives these answers, in order; what it was asked."""
    asked: list[dict[str, Any]] = []
    coming = iter(answers)

    def post(_: GraphQL, question: dict[str, Any]) -> Any:
        asked.append(question)
        answer = next(coming)
        answer.request = httpx.Request("POST", "http://dagster/graphql")
        return answer.raise_for_status().json()

    monkeypatch.setattr(GraphQL, "_post", post)
    monkeypatch.setattr("everfit.dagster_api.client.time.sleep", lambda _: None)
    return asked


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (told([]), "its first tick, 2026-01-02 02:00 UTC"),
        (told([], status="STOPPED"), "it is off: turn it on in Dagster, under Automation"),
        (
            told([{"timestamp": NEXT, "status": "SUCCESS", "skipReason": None, "error": None, "runIds": ["a", "b"]}]),
            "2 runs that it launched",
        ),
    ],
)
def test_it_says_what_is_waited_for(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], waits: str) -> None:
    answering(monkeypatch, httpx.Response(200, json=answer))
    (schedule,) = automations("http://dagster", NOW)
    assert schedule.waits == waits


@pytest.mark.parametrize(
    ("later", "daemon_runs", "status", "state"),
    [
        (0.0, True, "RUNNING", "on"),
        (HEARTBEAT_SECONDS + 1, True, "RUNNING", "dead"),
        (0.0, False, "RUNNING", "dead"),
        (0.0, False, "STOPPED", "off"),
    ],
)
def test_what_no_daemon_ticks_is_not_on(
    monkeypatch: pytest.MonkeyPatch, later: float, daemon_runs: bool, status: str, state: str
) -> None:
    answering(monkeypatch, httpx.Response(200, json=told([], status=status)))
    (schedule,) = automations("http://dagster", NOW + later, daemon_runs=daemon_runs)
    assert schedule.state == state
    assert (schedule.next_tick_at is None) is (state != "on")
    assert ("everfit up" in schedule.waits) is (state == "dead")


def test_a_question_that_failed_is_asked_again_and_a_mutation_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, httpx.Response(500), httpx.Response(200, json={"data": 1}), httpx.Response(500))
    with GraphQL("http://dagster") as dagster:
        assert dagster.execute("{ version }") == 1
        with pytest.raises(UnansweredError, match="status 500"):
            dagster.execute("mutation { launchRun }", repeatable=False)
    assert len(asked) == 3


@pytest.mark.parametrize("launched", [True, False])
def test_a_launch_whose_answer_was_lost_is_one_run(monkeypatch: pytest.MonkeyPatch, launched: bool) -> None:
    repository = {"repositoriesOrError": {"nodes": [{"name": "r", "location": {"name": "everfit"}}]}}
    runs = [{"runId": "run-1", "status": "QUEUED"}] if launched else []
    asked = answering(
        monkeypatch,
        httpx.Response(200, json={"data": repository}),
        httpx.Response(500),
        httpx.Response(200, json={"data": {"runsOrError": {"results": runs}}}),
        httpx.Response(200, json={"data": {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "run-1"}}}}),
    )
    orchestrator = Orchestrator("http://dagster")
    assert orchestrator.launch([["m", "features"]], {}) == "run-1"
    orchestrator.close()
    launches = [one["variables"]["parameters"] for one in asked if "launchRun" in one["query"]]
    assert len(launches) == (1 if launched else 2)
    (mark,) = asked[2]["variables"]["filter"]["tags"]
    assert all(mark in one["executionMetadata"]["tags"] for one in launches)
