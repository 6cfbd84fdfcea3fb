"""What is told of rows, figures and weights that were made again and are not those on record."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from everfit.environment.git_commit import GitCommit
from everfit.pipeline import reproduced_parts
from everfit.pipeline.document_changes import changes
from everfit.pipeline.manifests import TrainedModel, TrainingSet
from everfit.pipeline.provenance import Provenance, environment
from everfit.pipeline.provenance_changes import obstacles
from everfit.pipeline.scratch import ScratchLake
from everfit.store.lake import Lake
from tests.events import MODEL
from tests.versions import described, training_set


def given(lake: Lake, rows: pl.DataFrame) -> TrainingSet:
    cutoff = datetime(1996, 9, 4, tzinfo=UTC)
    kept = {"rows_hash": lake.put_frame(rows), "rows": rows.height, "days": {"1996-09-01": "a"}}
    return training_set(MODEL, cutoff=cutoff, cause="person", reason="by hand", **kept)


def test_other_rows_are_counted_on_both_sides(tmp_path: Path) -> None:
    lake, rows = Lake(tmp_path), pl.DataFrame({"price": [1.0, None, 3.0]})
    first = given(lake, rows)
    assert reproduced_parts.data(lake, first, first).finding == "3 rows of 1 days"
    other = reproduced_parts.data(lake, first, given(lake, pl.DataFrame({"price": [1.0, None, 4.0, 5.0]})))
    assert not other.identical
    assert other.finding == "3 rows on record and 4 now; 1 of these are no longer so, and 2 are new"
    renamed = reproduced_parts.data(lake, first, given(lake, pl.DataFrame({"cost": [1.0]})))
    assert renamed.finding == "columns differ: cost (Float64), price (Float64)"


def test_other_weights_are_told_by_how_far_their_answers_lie_apart(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = pl.DataFrame({name: ["a"] if kind == "category" else [0.5] for name, kind in MODEL.features})
    then, now = described(lake, MODEL, 0.0), described(lake, MODEL, 1.0).candidate
    then = msgspec.structs.replace(then, training_set=given(lake, rows))
    made = TrainedModel(training_set="", champion=None, candidates=[now])
    metrics, weights = reproduced_parts.fit(lake, then, made)
    assert (metrics.identical, weights.identical) == (True, False)
    assert weights.finding == "answers differ by at most 0.195 on the 1,000 newest rows"
    failed = TrainedModel(training_set="", champion=None, candidates=[], set_aside={"none": "no label is left"})
    assert [part.finding for part in reproduced_parts.fit(lake, then, failed)] == ["it cannot be fitted: no label is left"] * 2


def test_answers_that_a_second_look_added_are_no_difference(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    then = described(lake, MODEL, 0.0)
    first, more, other = (pl.DataFrame({"answer": answers}) for answers in ([0.1], [0.1, 0.2], [0.3]))
    looked = msgspec.structs.replace(then.candidate, backtest=lake.put_frame(more))
    then = msgspec.structs.replace(then, candidate=looked)
    for frame, identical in ((first, True), (more, True), (other, False), (first.clear(), False)):
        now = msgspec.structs.replace(then.candidate, backtest=lake.put_frame(frame))
        metrics, _ = reproduced_parts.fit(lake, then, TrainedModel(training_set="", champion=None, candidates=[now]))
        assert metrics.identical == identical


def made(**changed: Any) -> Provenance:
    return Provenance(
        commit=GitCommit(id="0123456789abcdef", is_clean=True),
        modules={"models.price": "a"},
        stages={"training_set": "1", "trained_model": "2", "champion": "3"},
        fits={"mlp": "2", "trees": "2"},
        seeds={},
        environment=msgspec.structs.replace(environment(), **changed),
        declaration={"candidates": [{"name": "mlp", "epochs": 40}]},
        declaration_id="",
    )


def test_what_hinders_is_told_with_both_values() -> None:
    then = made(python="3.11.1", packages={"numpy": "2.0"}, cores=2)
    assert obstacles(then, made(python="3.11.1", packages={"numpy": "2.0"}, cores=64), "mlp") == []
    assert obstacles(then, made(python="3.12.0", packages={"numpy": "2.1", "scipy": "1.0"}), "mlp") == [
        "the environment differs: python: 3.11.1 → 3.12.0",
        "the environment differs: packages.numpy: 2.0 → 2.1; packages.scipy: none → 1.0",
    ]
    other = {"champion": "4", "features": "7", "trained_model": "9"}
    shown = msgspec.structs.replace(then, stages=then.stages | other, fits={"mlp": "2", "trees": "9", "new": "1"})
    assert obstacles(then, shown, "mlp") == [], "promotion, features on record and other candidates decide nothing of it"
    code = msgspec.structs.replace(then, fits={"mlp": "9"})
    assert obstacles(then, code, "mlp") == [
        "the code of trained_model differs: code of everfit's own; it was made at commit 0123456789ab"
    ]
    edited = msgspec.structs.replace(
        code, modules={"models.price": "b"}, declaration={"candidates": [{"name": "mlp", "epochs": 60}]}
    )
    (told,) = obstacles(then, edited, "mlp")
    assert "module models.price; declaration, candidates.mlp.epochs: 40 → 60;" in told


def test_changes_are_found_by_name_wherever_they_stand() -> None:
    before = {"views": [{"name": "a", "ttl": 1}, {"name": "b", "ttl": 2}], "slices": ["x"], "metric": None}
    after = {"views": [{"name": "b", "ttl": 3}], "slices": ["x", "y"], "metric": {"class": "Auc"}}
    assert [change.words for change in changes(before, after)] == [
        "metric: none → {'class': 'Auc'}",
        "slices: ['x'] → ['x', 'y']",
        "views.a: {'name': 'a', 'ttl': 1} → none",
        "views.b.ttl: 2 → 3",
    ]


def test_a_lake_above_another_reads_it_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    below = Lake(tmp_path / "below")
    kept = below.put(b"kept", "bin")
    above = ScratchLake(tmp_path / "above", below)
    new = above.put(b"new", "bin")
    assert above.put(b"kept", "bin") == kept
    assert [above.get(each, "bin") for each in (kept, new)] == [b"kept", b"new"]
    assert [file.name for file in below.root.rglob("*.bin")] == [f"{kept}.bin"]
    assert [file.name for file in above.root.rglob("*.bin")] == [f"{new}.bin"]
