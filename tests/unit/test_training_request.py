"""A training that is waited for says what it is waiting for, each thing once."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from everfit.pipeline.training_request import await_training
from everfit.runtime import Runtime
from everfit.store import requests
from everfit.store.requests import RetrainRequest
from everfit.waiting import Patience, Watching

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
PENDING = RetrainRequest("a1", "m", "person", "asked for", 1, MOMENT, MOMENT)
RUNNING = replace(PENDING, status="launched", run_id="r7")


def test_the_launch_and_each_run_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [PENDING, PENDING, RUNNING, RUNNING, replace(RUNNING, attempt=2, run_id="r8"), replace(RUNNING, status="promoted")]
    coming = iter(states)
    monkeypatch.setattr(requests, "find", lambda *_: next(coming))
    report: list[str] = []
    runtime = cast(Runtime, SimpleNamespace(engine=SimpleNamespace(connect=nullcontext)))
    watching = Watching(Patience())
    assert await_training(runtime, PENDING, watching=watching, report=report.append).status == "promoted"
    assert report == [
        "training a1 waits for the sensor prediction_log to launch it",
        "training a1 runs, attempt 1: run r7 in Dagster",
        "training a1 runs, attempt 2: run r8 in Dagster",
    ]
