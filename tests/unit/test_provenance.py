"""What a training is recorded with: the commit, the user's modules, the environment and the whole declaration."""

import json
import subprocess
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import polars as pl
import pytest

from everfit import GradientBoosting, Model
from everfit.environment.git_commit import GitCommit, git_commit
from everfit.pipeline.declaration_document import declaration_document, declaration_id
from everfit.pipeline.provenance import documents, provenance, tags
from everfit.pipeline.trackers import Dataset, Tracker
from everfit.pipeline.training_record import begin
from everfit.runtime import Runtime
from everfit.store.lake import Lake
from models.flight_delay import flight_delay
from tests.examples import electricity
from tests.versions import described

MODEL = electricity().model


def committed(folder: Path) -> Path:
    (folder / "model.py").write_text("first = 1\n")
    run = partial(subprocess.run, check=True, cwd=folder, capture_output=True)
    who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    for command in (["init"], ["add", "."], [*who, "commit", "-m", "first"]):
        run(["git", *command])
    return folder


def test_a_commit_is_told_with_whether_the_files_are_as_it_has_them(tmp_path: Path) -> None:
    folder = committed(tmp_path)
    first = git_commit(folder)
    assert (len(first.id), first.is_clean, first.words) == (40, True, first.id[:12])
    (folder / "new.py").write_text("")
    assert git_commit(folder) == GitCommit(id=first.id, is_clean=False)
    assert git_commit(folder).words.endswith(", and changes that it does not have")


def test_where_git_is_missing_or_knows_no_commit_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    outside = git_commit(tmp_path)
    assert (outside.id, outside.is_clean) == ("", None)
    assert outside.words == "no commit of git"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path).words == "git is not installed"


def test_git_that_is_slow_holds_up_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("everfit.environment.git_commit.LIMIT_SECONDS", 0.1)
    assert git_commit(tmp_path).words == "git gave no answer within 0.1 s"


def test_a_declaration_is_recorded_whole_and_its_id_changes_with_every_part() -> None:
    document = declaration_document(flight_delay)
    assert json.loads(json.dumps(document)) == document
    assert set(document) == {"class", *Model.model_fields}
    assert document["history"]["function"] == f"models.flight_delay.{flight_delay.history.__name__}"
    changed: list[dict[str, Any]] = [
        {"description": "other words"},
        {"candidates": [GradientBoosting(trees=7)]},
        {"gate": flight_delay.gate.model_copy(update={"backtest": timedelta(days=15)})},
        {"history": MODEL.history},
    ]
    ids = {declaration_id(declaration_document(flight_delay.model_copy(update=update))) for update in ({}, *changed)}
    assert len(ids) == 1 + len(changed)
    assert declaration_id(declaration_document(flight_delay)) == declaration_id(document)


def test_a_training_is_recorded_with_code_environment_seeds_and_declaration() -> None:
    made = provenance(flight_delay)
    assert [*made.modules] == ["models.flight_delay", "models.flight_record"]
    assert all(len(digest) == 64 for digest in made.modules.values())
    assert {"polars", "pydantic"} <= set(made.environment.packages)
    assert made.seeds == {each.name: each.seed for each in flight_delay.candidates}
    assert [*documents(made)] == ["environment.json", "code.json", "declaration.json"]
    assert json.loads(json.dumps(documents(made)))["declaration.json"]["name"] == "flight_delay"
    assert tags(made)["everfit.declaration"] == made.declaration_id


class Recorder(Tracker):
    """Keeps the dataset that it gets."""

    def log_dataset(self, dataset: Dataset) -> None:
        self.dataset = dataset


def test_the_rows_of_a_training_are_recorded_by_their_hash_and_no_path_of_the_machine(tmp_path: Path) -> None:
    lake, recorder = Lake(tmp_path), Recorder()
    digest = lake.put_frame(pl.DataFrame({"price": [1.0]}))
    given = msgspec.structs.replace(described(lake, MODEL, 0.0).training_set, rows_hash=digest)
    begin(recorder, cast("Runtime", SimpleNamespace(lake=lake)), MODEL, given)
    assert recorder.dataset.source == f"lake:{digest}.parquet"
    assert recorder.dataset.columns == {"price": "Float64"}
