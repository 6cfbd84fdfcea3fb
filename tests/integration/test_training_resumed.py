"""A training that was interrupted fits nothing again that it had finished; its fits may go on from the champion."""

import errno
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import polars as pl
import pytest

from everfit import FitContext, Fitted, GradientBoosting, Recipe, TorchMLP
from everfit.declaration import Name
from everfit.pipeline import manifests, training_progress
from everfit.pipeline import training as pipeline_training
from everfit.pipeline.manifests import Trained, TrainedModel
from everfit.pipeline.promotion import conclude, register
from everfit.pipeline.trackers import Tracker
from everfit.pipeline.unfinished_training import forget, unfinished
from everfit.registry import MANIFEST
from everfit.training.latency import Latency
from tests.integration.test_data_faults import Training, training
from tests.unit.test_data_faults import alternate, labelled

__all__ = ["training"]  # the fixture
ROWS = labelled(alternate)


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exports are not compared in a process of their own, which takes seconds."""
    monkeypatch.setattr(pipeline_training, "_checked", lambda *_, **__: (Latency(0.0, 1.0), None))


class Counted(Recipe):
    """Fits trees, writes a file for each fit into a folder, and finds no space where the folder says so."""

    name: Name = "counted"
    folder: str
    continues: bool = False

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Fitted:
        assert context.checkpoints is not None
        place = context.checkpoints.parent
        assert not [*place.glob("answers.*"), *place.glob("trained.*")], "what was finished is fitted again"
        number = fits(Path(self.folder))
        Path(self.folder, f"fit-{uuid4()}").touch()
        if Path(self.folder, f"stop-{number}").exists():
            raise OSError(errno.ENOSPC, "no space left")
        (context.checkpoints / "rows.json").write_text(json.dumps(rows.height))
        context.report(1, 1, 0.5)
        if self.continues and context.champion:
            assert json.loads(context.champion.checkpoint["rows.json"].read_text()) == ROWS.height
            assert context.champion.recipe == "first"
        return GradientBoosting(trees=2).fit(rows, context)


def candidates(folder: Path, **fields: Any) -> list[Recipe]:
    return [Counted(name=name, folder=str(folder), **fields) for name in ("first", "second")]


def fits(folder: Path) -> int:
    return len([*folder.glob("fit-*")])


def content(trained: Trained) -> Trained:
    """What does not depend on how long it took, nor on where the fits were counted."""
    return msgspec.structs.replace(trained, config={}, seconds=0.0, latency_ms=0.0, slowdown=1.0)


def test_what_was_finished_is_not_fitted_again(training: Training, tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    for folder in (unbroken, broken):
        folder.mkdir()
    training.model = training.model.model_copy(update={"candidates": candidates(unbroken)})
    whole = training.trained(ROWS)
    needed = fits(unbroken)
    assert needed == 10
    training.model = training.model.model_copy(update={"candidates": candidates(broken)})
    for _ in range(3):
        (broken / f"stop-{fits(broken)}").touch()  # the next one
        with pytest.raises(OSError, match="no space left"):
            training.trained(ROWS)
    resumed = training.trained(ROWS)
    assert [content(each) for each in resumed.candidates] == [content(each) for each in whole.candidates]
    made = fits(broken)
    training.trained(ROWS)
    assert fits(broken) == made, "all was finished"
    given = training.set_of(ROWS)
    with unfinished(training.runtime.lake, training.model, given, None) as kept:
        assert kept.progress()["first", "all"].step == 1
        again = training.trained(ROWS)  # another training holds the folder
    assert fits(broken) == made + needed
    assert [content(each) for each in again.candidates] == [content(each) for each in whole.candidates]
    forget(training.runtime.lake, training.model, given, None)
    assert not kept.path.exists()


def test_progress_is_told_while_fits_run(training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_progress, "BETWEEN_SECONDS", 0.0)
    training.model = training.model.model_copy(update={"candidates": [TorchMLP(hidden=(2,), epochs=2)]})
    tracker, shown = Recorded(), list[str]()
    given = training.set_of(ROWS)
    pipeline_training.train(
        training.runtime, training.model, given, "", tracker, lambda told: shown.extend(map(str, told.items()))
    )
    names = {name for name, _, _ in tracker.points}
    assert {"mlp.done", "mlp.fit_loss", "mlp.1997-04-23.done"} <= names
    assert ("mlp.done", 1.0, 2) in tracker.points
    assert all(0 < value < 5 for _, value, _ in tracker.points)
    assert [told for told in shown if re.fullmatch(r"\('mlp, progress', '2 of 2 steps, loss 0\.\d+, 0 s left'\)", told)]


class Recorded(Tracker):
    """Keeps the points of curves."""

    def __init__(self) -> None:
        self.points: list[tuple[str, float, int | None]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.points += [(name, value, step) for name, value in metrics.items()]


def test_a_fit_that_goes_on_from_the_champion_names_it(training: Training, tmp_path: Path) -> None:
    training.model = training.model.model_copy(update={"candidates": candidates(tmp_path)[:1]})
    lake, registry = training.runtime.lake, training.runtime.registry
    first = training.judged(training.trained(ROWS))
    assert first.winner == "first", first.reason
    assert conclude(training.runtime, training.model, actor="test").version == 1
    champion = manifests.get(lake, first.trained_model, TrainedModel).candidates[0]
    assert json.loads(lake.get(champion.checkpoint["rows.json"], "json")) == ROWS.height
    training.model = training.model.model_copy(update={"candidates": candidates(tmp_path, continues=True)})
    for each in training.trained(ROWS).candidates:
        assert each.parent == 1
    training.model = training.model.model_copy(update={"candidates": candidates(tmp_path)})
    anew = training.trained(ROWS).candidates[0]
    assert (anew.parent, champion.parent) == (None, None)
    described = manifests.get(lake, registry.fetch(training.model.name, 1).tags[MANIFEST], manifests.Version)
    assert described.parent is None
    child = msgspec.structs.replace(described, candidate=msgspec.structs.replace(champion, parent=1))
    version = register(training.runtime, child, lake.put_json(child))
    assert registry.fetch(training.model.name, version).tags["everfit.parent"] == "1"
    assert child.parent == 1
