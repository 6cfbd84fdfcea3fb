"""What the real daemon makes of many requests, of runs that fail, die, vanish or are stopped, and of a champion too old."""

import dataclasses
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from everfit.declaration.retraining import Status
from everfit.pipeline.training_request import request_training
from everfit.runtime import Runtime
from everfit.store import requests
from everfit.store.requests import RetrainRequest
from everfit.waiting import wait_until
from tests.e2e.dagster_pages import Dagster
from tests.e2e.stack import Stack, running
from tests.hooks import Hook, listening

pytestmark = pytest.mark.e2e

STORM = [f"m{number:02}" for number in range(20)]
AT_ONCE = 2
_TIMES = "{ runsOrError { ... on Runs { results { runId status startTime endTime tags { key value } } } } }"
_MATERIALIZED = """
mutation ($model: String!) {
  reportRunlessAssetEvents(eventParams: {eventType: ASSET_MATERIALIZATION, assetKey: {path: [$model, "champion"]}}) {
    __typename
  }
}
"""


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with listening() as server:
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("e2e") / "home"
    with running(home, models="tests.e2e.stormy", EVERFIT_ALERT_WEBHOOK=hook.url) as stack:
        yield stack


@pytest.fixture(scope="module")
def runtime(stack: Stack) -> Iterator[Runtime]:
    with Runtime(dataclasses.replace(stack.settings, models="tests.e2e.stormy")) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def dagster(stack: Stack) -> Iterator[Dagster]:
    client = Dagster(stack.settings.dagster)
    client.ask(_MATERIALIZED, model="slow")  # from here on the minute counts after which it is too old
    yield client
    client.close()


@pytest.fixture(scope="module")
def stormed(runtime: Runtime, dagster: Dagster) -> Sequence[RetrainRequest]:
    """Two hundred requests of twenty causes, asked by eight at a time, and what became of them."""
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda number: request_training(runtime, runtime.models[STORM[number % 20]]), range(200)))
    assert sum(one.is_new for one in asked) == len(STORM)
    return wait_until(lambda: found(runtime, "failed"), lambda ended: len(ended) == len(STORM), "the storm to pass")


def found(runtime: Runtime, *statuses: Status) -> Sequence[RetrainRequest]:
    with runtime.engine.connect() as connection:
        return requests.in_status(connection, *statuses)


def runs(dagster: Dagster) -> list[dict[str, Any]]:
    """All runs with when they ran; tags as a mapping."""
    told = dagster.ask(_TIMES)["runsOrError"]["results"]
    return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in told]


def test_each_cause_ran_once_and_no_more_ran_at_a_time_than_declared(
    stormed: Sequence[RetrainRequest], dagster: Dagster
) -> None:
    ran = [run for run in runs(dagster) if run["tags"]["dagster/run_key"].endswith(":1")]
    assert sorted(run["tags"]["dagster/run_key"] for run in ran) == sorted(f"{request.id}:1" for request in stormed)
    assert all(sum(one["startTime"] <= run["startTime"] < one["endTime"] for one in ran) <= AT_ONCE for run in ran)


def test_what_cannot_pass_is_given_up_at_once_with_its_reason(stormed: Sequence[RetrainRequest], stack: Stack) -> None:
    for request in stormed:
        assert request.attempt == 1
        assert "ValueError: 48 ticks hold no label; it would fail again" in str(request.result)
    (told,) = stack.json("history", STORM[0])
    assert (told["action"], told["detail"]) == ("failed", {"attempt": 1})
    assert "ValueError: 48 ticks hold no label" in told["reason"]


def test_each_failure_was_told_once(stormed: Sequence[RetrainRequest], hook: Hook) -> None:
    def told() -> list[str]:
        return sorted(one["cause"] for one in hook.posted if one["cause"].startswith("request:"))

    expected = sorted(f"request:{request.id}" for request in stormed)
    assert wait_until(told, lambda causes: len(causes) >= len(expected), "the alerts") == expected


def test_a_run_that_was_killed_deleted_or_stopped(runtime: Runtime, dagster: Dagster) -> None:
    """Killed: tried again. Deleted: tried again. Canceled by a person: given up."""
    name = request_training(runtime, runtime.models["slow"]).request.id

    def attempt(number: int) -> dict[str, Any]:
        """The run of an attempt, when it works."""

        def look() -> dict[str, Any] | None:
            return next((run for run in runs(dagster) if run["tags"].get("dagster/run_key") == f"{name}:{number}"), None)

        run = wait_until(look, lambda run: run is not None and run["status"] == "STARTED", f"attempt {number} to start")
        held(number)
        assert run
        return run

    def held(number: int) -> RetrainRequest:
        """The request, launched in its attempt."""
        return wait_until(request, lambda one: (one.attempt, one.status) == (number, "launched"), f"attempt {number}")

    def request() -> RetrainRequest:
        with runtime.engine.connect() as connection:
            return requests.find(connection, name)

    psutil.Process(int(attempt(1)["tags"]["everfit/worker"].partition(":")[0])).kill()
    again = wait_until(request, lambda one: one.attempt == 2, "the killed run to be tried again")
    assert "its process is gone" in str(again.result)
    dagster.ask("mutation ($run: String!) { deleteRun(runId: $run) { __typename } }", run=attempt(2)["runId"])
    again = wait_until(request, lambda one: one.attempt == 3, "the deleted run to be tried again")
    assert "was deleted before it had a verdict" in str(again.result)
    dagster.ask("mutation ($run: String!) { terminateRun(runId: $run) { __typename } }", run=attempt(3)["runId"])
    ended = wait_until(request, lambda one: one.status == "failed", "the canceled run to be given up")
    assert "was canceled by a person" in str(ended.result)


def test_a_champion_too_old_by_the_wall_clock_is_told_without_the_sensor(hook: Hook, dagster: Dagster) -> None:
    def told() -> list[dict[str, Any]]:
        return [one for one in hook.posted if one["cause"] == "overdue"]

    (alert,) = wait_until(told, bool, "the dead man's switch")
    assert alert["model"] == "slow"
    assert "more than 1m ago by the wall clock; there is no champion yet" in alert["message"]


def test_status_says_what_is_on_when_it_ticked_and_what_it_waits_for(stack: Stack, dagster: Dagster) -> None:
    told = {one["name"]: one for one in stack.json("status")["automation"]}
    assert {"prediction_log", "dead_mans_switch"} <= told.keys()
    assert told["prediction_log"]["on"]
    assert told["prediction_log"]["last_tick_at"]
    assert "nothing to launch" in told["prediction_log"]["waits"]
