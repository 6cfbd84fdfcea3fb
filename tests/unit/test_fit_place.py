"""A fit's folder keeps what is whole, and tells how far the fit is."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit import BinaryClassification, Champion, FitContext
from everfit.training.fit_place import FitPlace
from everfit.training.fit_progress import FitProgress, ProgressFile, read
from tests.unit.test_recipe_contract import EXAMPLES, written

CONTEXT = FitContext(task=BinaryClassification(label="late"), features=[], labels=np.ones(1), seed=0)


def test_what_is_kept_is_whole_or_absent(tmp_path: Path) -> None:
    place = FitPlace(tmp_path)
    assert place.kept("trained.json") is None
    assert place.kept_answers() is None
    place.keep_answers(np.array([0.25, 0.5]))
    answers = place.kept_answers()
    assert answers is not None
    assert answers.tolist() == [0.25, 0.5]
    (file,) = tmp_path.glob("answers.*")
    file.write_bytes(file.read_bytes()[:-1])
    assert place.kept_answers() is None


def test_the_champion_is_the_parent_once_it_was_read_in_any_attempt(tmp_path: Path) -> None:
    (tmp_path / "made.onnx").write_bytes(b"graph")
    champion = Champion(version=3, recipe="net", artifact_file=tmp_path / "made.onnx")
    given = FitPlace(tmp_path, champion).given_to(CONTEXT).champion
    assert given is not None
    assert not given.was_read
    assert (given.artifact, given.was_read, champion.was_read) == (b"graph", True, False)
    again = FitPlace(tmp_path, champion).given_to(CONTEXT).champion
    assert again is not None
    assert again.was_read
    assert FitPlace(tmp_path).given_to(CONTEXT).champion is None


def test_files_of_the_checkpoint_are_those_at_its_top(tmp_path: Path) -> None:
    folder = FitPlace(tmp_path).given_to(CONTEXT).checkpoints
    assert folder is not None
    (folder / "set_aside").mkdir()
    (folder / "set_aside" / "old.json").touch()
    (folder / ".writing-new").touch()
    (folder / "last.json").touch()
    assert [file.name for file in FitPlace(tmp_path).last_checkpoint()] == ["last.json"]


def test_the_page_says_how_a_fit_goes_on_from_the_champions(tmp_path: Path) -> None:
    source = next(each for each in EXAMPLES if "left_by_champion" in each)
    left, leave = written(source, "left_by_champion"), written(source, "leave")
    before = FitPlace(tmp_path).given_to(CONTEXT)
    assert left(before) is None
    leave(before, [0.5])
    leave(CONTEXT, [0.5])
    files = {file.name: file for file in FitPlace(tmp_path).last_checkpoint()}
    champion = Champion(version=3, recipe="continued", artifact_file=tmp_path, checkpoint_files=files)
    assert left(replace(CONTEXT, champion=champion)) == [0.5]
    assert champion.was_read
    other = replace(champion, recipe="other")
    assert left(replace(CONTEXT, champion=other)) is None
    assert not other.was_read


def test_progress_is_written_at_most_once_a_second_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert read(tmp_path) is None
    report: Any = ProgressFile(tmp_path)
    for step, seconds in ((41, 0.5), (42, 0.6), (43, 2.0)):
        now[0] = 100 + seconds
        report(step, 100, 0.5)
        assert read(tmp_path) == FitProgress(41 if step < 43 else 43, 100, 0.5, 40, 0.5 if step < 43 else 2.0)
    progress = read(tmp_path)
    assert progress is not None
    assert progress.seconds_left == pytest.approx(2.0 / 3 * 57)
    assert str(progress) == "43 of 100 steps, loss 0.5, 38 s left"
    report(100, 100)
    assert str(read(tmp_path)) == "100 of 100 steps, 0 s left"
