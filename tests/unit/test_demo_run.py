"""The demo's own manners: it begins anew, removes nothing that it did not make, and stops what it started."""

from pathlib import Path
from typing import Any, Self

import pytest

from everfit.demo import run
from everfit.demo.result import DemoResult
from everfit.demo.run import Demo
from everfit.environment.settings import Settings
from everfit.errors import StackError
from tests.results import a_result


class FakeStack:
    """Writes down what it is told; ``up`` may fail."""

    told: list[str]
    broken: bool

    def __init__(self, home: Path, project: Path, announce: Any, broker: str | None, environ: Any) -> None:
        self.home = home
        self.postgres = None

    def up(self) -> None:
        self.told.append("up")
        if self.broken:
            raise StackError("port 8000 is taken")
        (self.home / "postgres").mkdir()

    def down(self) -> None:
        self.told.append("down")


class FakeRuntime:
    """Has nothing but an end."""

    def __init__(self, settings: Any) -> None:
        assert settings["EVERFIT_HOME"].endswith("home")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        FakeStack.told.append("closed")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    FakeStack.told, FakeStack.broken = [], False
    monkeypatch.setattr(run, "Stack", FakeStack)
    monkeypatch.setattr(run, "Runtime", FakeRuntime)
    monkeypatch.setattr(Settings, "load", lambda environ: environ)
    monkeypatch.setattr(run, "load_models", lambda _: {})
    monkeypatch.setattr(run, "find_model", lambda _models, name: name)
    monkeypatch.setattr(run, "require_empty", lambda *_: None)
    monkeypatch.setattr(run, "made_by_others", lambda *_: [])
    return []


def play(home: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> DemoResult:
    monkeypatch.setattr(Demo, "_play", lambda *_: a_result())
    return Demo(home, home.parent, said.append, lambda _progress, _doing: None).run()


def test_it_leaves_summary_and_report_and_is_down(home: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result = play(home, said, monkeypatch)

    assert FakeStack.told == ["up", "closed", "down"]
    assert {"postgres", "summary.json", "report.html"} == {file.name for file in home.iterdir()}
    assert list(result.seconds) == ["starting the stack", "stopping the stack"]


def test_a_second_demo_says_so_and_begins_anew(home: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    play(home, said, monkeypatch)
    (home / "postgres" / "old").touch()
    (home / "run").mkdir()
    (home / "run" / "lock").touch()
    play(home, said, monkeypatch)

    assert f"an earlier demo is in {home}: it is removed, and the demo starts again" in said
    assert not (home / "postgres" / "old").exists()
    assert (home / "run" / "lock").exists()


@pytest.mark.parametrize("agreed", [False, True])
def test_what_another_model_made_goes_only_by_agreement(
    home: Path, said: list[str], monkeypatch: pytest.MonkeyPatch, agreed: bool
) -> None:
    play(home, said, monkeypatch)
    (home / "postgres" / "flights").touch()
    monkeypatch.setattr(run, "made_by_others", lambda *_: ["flight_delay (1 trainings)"])
    named: list[str] = []
    demo = Demo(home, home.parent, said.append, lambda *_: None, agree=lambda told: named.append(told) or agreed)  # type: ignore[func-returns-value]
    if agreed:
        demo.run()
    else:
        with pytest.raises(StackError, match=r"flight_delay \(1 trainings\)\. Nothing was removed: .* --yes"):
            demo.run()
    assert (home / "postgres" / "flights").exists() is not agreed
    assert named == [f"{home} also contains what other models made: flight_delay (1 trainings)"]


def test_what_was_started_is_stopped_when_something_fails(home: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    FakeStack.broken = True
    with pytest.raises(StackError, match="port 8000 is taken"):
        play(home, said, monkeypatch)

    assert FakeStack.told == ["up", "down"]
