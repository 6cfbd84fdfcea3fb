"""What a training is recorded with: the commit, the user's modules, the environment and the whole declaration."""

import json
import math
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import polars as pl
import pytest

from everfit import GradientBoosting, Model, Search
from everfit.environment.git_commit import GitCommit, git_commit
from everfit.features.fingerprint import _collect
from everfit.pipeline.declaration_document import declaration_document, declaration_id
from everfit.pipeline.provenance import _packages, documents, provenance, tags
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


@dataclass(frozen=True)
class Reading:
    """A callable that holds what is on no record."""

    path: str
    password: str

    def __call__(self) -> str:
        return self.path

    def read(self) -> str:
        return self.path


def reading(path: str, password: str = "") -> str:
    return path + password


def callables(password: str) -> dict[str, Any]:
    held = Reading("/home/me/x", password)
    return {"partial": partial(reading, "/home/me/x", password=password), "object": held, "method": held.read}


@pytest.mark.parametrize("kind", ["partial", "object", "method"])
def test_of_what_a_callable_is_given_only_a_hash_is_recorded(kind: str) -> None:
    made, changed, nested = (
        declaration_document(cast("Model", value))
        for value in (callables("hunter2")[kind], callables("other")[kind], [callables("hunter2")])
    )
    written = json.dumps([made, nested])
    assert "hunter2" not in written
    assert "/home/me" not in written
    assert set(made) == {"function", "version"}
    assert made["version"] != changed["version"]
    assert made["function"].startswith(
        "tests.unit.test_provenance.read" if kind == "partial" else "tests.unit.test_provenance.R"
    )


def test_no_address_of_a_process_is_recorded() -> None:
    held: Any = [{reading}, {reading: 1}, partial(sorted, key=reading), {2, "1"}]
    document: Any = declaration_document(held)
    assert " at 0x" not in json.dumps(document)
    assert document[0][0]["function"] == "tests.unit.test_provenance.reading"
    assert document[3] == ["1", 2]
    parts: dict[str, str] = {}
    _collect(partial(reading, "x"), parts, set())
    assert " at 0x" not in repr(parts)


def test_numbers_and_texts_of_other_libraries_are_recorded_as_plain_ones() -> None:
    class Text(str):
        __slots__ = ()

    class Number(int):
        __slots__ = ()

    given = [*np.logspace(-3, -1, 2), Text("a"), Number(3), True, None, math.inf]
    document: Any = declaration_document(cast("Model", given))
    assert msgspec.json.decode(msgspec.json.encode(document)) == [0.001, 0.1, "a", 3, True, None, "inf"]
    assert [type(each) for each in document[:5]] == [float, float, str, int, bool]
    searched = Search(GradientBoosting(), over={"learning_rate": list(np.logspace(-3, -1, 5))}, trials=2)
    assert len(declaration_id(declaration_document(MODEL.model_copy(update={"candidates": [searched]})))) == 64


def test_a_package_without_metadata_stops_no_training_and_the_first_of_a_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str | None, version: str | None) -> SimpleNamespace:
        return SimpleNamespace(metadata={"Name": name}, version=version)

    found = [installed("b", "2"), installed(None, None), installed("a", "1"), installed(None, None), installed("b", "1")]
    monkeypatch.setattr("everfit.pipeline.provenance.distributions", lambda: found)
    assert list(_packages.__wrapped__().items()) == [("a", "1"), ("b", "2")]


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
