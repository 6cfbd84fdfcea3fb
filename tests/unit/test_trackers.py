"""Installed trackers beside the default one: none changes what another gets, none stops the run."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from everfit.environment.extensions import extensions
from everfit.pipeline import trackers as module
from everfit.pipeline.chosen_trackers import chosen_trackers
from everfit.pipeline.trackers import Makers, TrackedRun, Tracker, Trackers
from tests.extensions import Install

RECORDER = """
class Recorder:
    calls = []

    def __init__(self, run): ...

    def log_params(self, params):
        import threading
        self.calls.append((params, threading.get_ident()))

    def log_document(self, document, name):
        self.calls.append((document, name))

    def end(self, *, failed):
        self.calls.append(("end", failed))
"""
CHANGING = """
class Changing:
    def __init__(self, run): ...
    def log_params(self, params): params.clear()
    def log_document(self, document, name): document["rows"].clear()
    def end(self, *, failed): ...
"""
HANGING = """
from threading import Event

class Hanging:
    release, ended = Event(), []

    def __init__(self, run): ...
    def log_params(self, params): self.release.wait(60)
    def log_document(self, document, name): ...
    def end(self, *, failed): self.ended.append(failed)
"""
EXITING = """
class Exiting:
    def __init__(self, run): ...
    def __getattr__(self, name):
        raise SystemExit(3)
"""


class Default(Tracker):
    """The default tracker, which keeps what it gets."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Keep them."""
        self.calls.append(tags)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Keep them."""
        self.calls.append(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep them."""
        self.calls.append(metrics)

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """Keep it."""
        self.calls.append((document, name))

    def end(self, *, failed: bool) -> None:
        """Keep it."""
        self.calls.append(("end", failed))


@pytest.fixture
def default() -> Default:
    return Default()


@pytest.fixture
def begin(default: Default, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], Trackers]]:
    """Trackers of a run: the default one, and those that the test has installed."""
    run, logger = TrackedRun("r1", "m"), logging.getLogger("run")
    with caplog.at_level(logging.WARNING):
        yield lambda: Trackers(chosen_trackers({"mlflow": lambda _: default}, logger, {}), run, logger, here="mlflow")


def test_a_tracker_that_changes_its_values_changes_them_for_no_other(
    begin: Callable[[], Trackers], default: Default, install: Install
) -> None:
    install(CHANGING, trackers="Changing")
    install(RECORDER, trackers="Recorder")
    trackers = begin()
    params, document = {"depth": 3}, {"rows": [1, 2]}
    trackers.log_params(params)
    trackers.log_params(params)
    trackers.log_document(document, "a.json")
    first, second, last = extensions("trackers")["recorder"].calls
    assert default.calls == [{"depth": 3}, {"depth": 3}, ({"rows": [1, 2]}, "a.json")]
    assert [first[0], second[0], last] == default.calls
    assert first[1] == second[1] != threading.get_ident(), "one thread of its own"
    assert (params, document) == ({"depth": 3}, {"rows": [1, 2]})


def test_a_tracker_that_hangs_holds_up_the_run_for_one_call_alone(
    begin: Callable[[], Trackers],
    default: Default,
    install: Install,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.5)
    install(HANGING, trackers="Hanging")
    trackers = begin()
    began = time.monotonic()
    trackers.log_params({"depth": 3})
    trackers.log_document({}, "a.json")
    trackers.end(failed=False)
    assert time.monotonic() - began < 30
    hanging = extensions("trackers")["hanging"]
    hanging.release.set()
    assert default.calls == [{"depth": 3}, ({}, "a.json"), ("end", False)]
    assert hanging.ended == []
    assert [record.message for record in caplog.records] == [
        "tracker hanging takes more than 0.5 s for log_params; the run goes on",
        "tracker hanging is still busy with an earlier log_params; the run goes on",
        "tracker hanging is still busy with an earlier log_params; the run goes on",
    ]


def test_a_tracker_that_exits_or_cannot_be_imported_is_logged_and_the_others_go_on(
    begin: Callable[[], Trackers], install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(EXITING, trackers="Exiting")
    install("import not_there", trackers="Absent")
    install(RECORDER, trackers="Recorder")
    trackers = begin()
    trackers.log_params({"depth": 3})
    trackers.end(failed=True)
    absent, *exits = [record.message for record in caplog.records]
    assert "'absent' of extension_1_" in absent
    assert absent.endswith("repair or uninstall the package; the run goes on without it")
    assert exits == [f"tracker exiting fails at {call}: SystemExit: 3; the run goes on" for call in ("log_params", "end")]


def test_a_default_tracker_that_fails_stops_nothing_and_a_slow_one_is_left_out(
    default: Default, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(Tracker):
        def log_params(self, params: Mapping[str, Any]) -> None:
            time.sleep(0.02)
            raise ConnectionError("no server")

    makers: Makers = {"mlflow": lambda _: Away(), "second": lambda _: default}
    trackers = Trackers(makers, TrackedRun("r1", "m"), logging.getLogger("run"), here="mlflow")
    trackers.log_params({"depth": 1})
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.01)
    trackers.log_params({"depth": 2})
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 60)
    trackers.log_params({"depth": 3})
    assert default.calls[0] == {"depth": 1}
    assert default.calls[-1] == {"depth": 3}
    failed = "tracker mlflow fails at log_params: ConnectionError: no server; the run goes on"
    slow = "tracker mlflow took more than 0.01 s for log_params; it is left out from here on"
    told = [message for message in caplog.messages if "mlflow" in message]
    assert told == [failed, slow, failed]
