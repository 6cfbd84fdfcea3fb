"""``everfit simulate`` and ``tune`` as they are typed: what is printed, and what is refused."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from everfit import Model, TrainingWindow
from everfit.cli import past_losses, past_rows
from everfit.cli.main import app
from everfit.cli.past_rows import Past
from everfit.errors import SimulationError
from everfit.store.fit_cache import FitCache
from tests.counting import declared, rows

Typed = Callable[..., str]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    """Types a command over a model that ages by one a day; returns what it prints on stdout."""
    model: Model = declared([], training=TrainingWindow(label_delay="1h"))
    past = Past(model, rows(timedelta(hours=1), first=-40), FitCache(tmp_path))
    for module in (past_losses, past_rows):
        monkeypatch.setattr(module, "past_rows", lambda name, *, recorded: past)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    return run


def policies(tmp_path: Path) -> str:
    file = tmp_path / "policies.py"
    file.write_text("from everfit import Regret, Timer\nSOON = Timer('2d')\nLIGHT = Regret(cost=0.001, comparator='light')\n")
    return str(file)


def test_policies_are_told_side_by_side(typed: Typed, tmp_path: Path) -> None:
    file, picture = policies(tmp_path), tmp_path / "simulated.svg"
    named = ["--policy", f"{file}:SOON", "--policy", f"{file}:LIGHT", "--gate", "none", "--picture", str(picture)]
    told = typed("simulate", "counting", *named)
    assert told.startswith("counting: absolute error over 3 windows of 2 days from 2024-01-09; never ")
    assert "SOON, without a gate:\n  1 promoted" in told, "the cooldown of a week holds it back"
    assert "LIGHT, without a gate:" in told
    assert picture.read_text().startswith("<svg")
    document: dict[str, Any] = json.loads(typed("simulate", "counting", *named, "--json"))
    assert [outcome["policy"] for outcome in document["outcomes"]] == ["SOON", "LIGHT"]
    assert [outcome["comparators"] for outcome in document["outcomes"]] == [0, 0], "too few labels a window"


def test_the_declared_policy_is_played_through_the_gate_and_without(typed: Typed) -> None:
    told = typed("simulate", "counting", "--to", "2024-01-13")
    assert "declared, without a gate:" in told
    assert "declared, through the gate:" in told


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--recipe", "none"), "--recipe none: counting declares mean"),
        (("--from", "soon"), "--from: "),
        (("--from", "2024-02-01"), "no labelled row from 2024-01-31T00:00:00Z on, in 0 days"),
    ],
)
def test_what_cannot_be_simulated_is_told(typed: Typed, option: tuple[str, str], said: str) -> None:
    with pytest.raises(SimulationError, match=said):
        typed("simulate", "counting", *option)


def test_a_cost_is_proposed_from_before_the_go_live_alone(typed: Typed) -> None:
    told = typed("tune", "counting", "--per-year", "20")
    assert "counting: 17 windows before the go-live" in told
    assert 'proposed: retraining=Regret(cost="' in told
    assert 'proposed: drift=DriftPolicy(window="28d")' in told
    document = json.loads(typed("tune", "counting", "--json"))
    assert document["windows"] == 17
    assert document["cost"]["cost"].endswith("% of the metric for a month")
