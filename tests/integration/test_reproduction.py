"""A version is made again from what was recorded of it, whatever has landed, was corrected or quarantined since."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
import sqlalchemy as sa

from everfit import FitContext, Fitted, GradientBoosting, Model, Recipe, Search, Shadow, Sklearn
from everfit.declaration import Name
from everfit.errors import LostVersionError, MissingObjectError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.pipeline.reproduction import Reproduction, reproduce
from everfit.store import ledger, quarantines
from everfit.store.tables import ledger as ledger_table
from everfit.topics.events import Outcome
from tests.examples import electricity
from tests.loop import Loop

BASE = electricity().model
WEEK = timedelta(days=7)
TREES = ["sklearn.tree._tree.Tree"]


def recent(rows: Any) -> Any:
    """Newer rows count more."""
    return 1.0 + rows["half_hour"] / 48


class GoesOn(Recipe):
    """Trees, one more than the champion's checkpoint says."""

    name: Name = "goes_on"

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Fitted:
        kept = context.champion.checkpoint.get("trees.json") if context.champion else None
        trees = 1 + (json.loads(kept.read_text()) if kept else 4)
        assert context.checkpoints is not None
        (context.checkpoints / "trees.json").write_text(json.dumps(trees))
        return GradientBoosting(trees=trees).fit(rows, context)


def tree() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    numbers = make_column_transformer((SimpleImputer(), ["half_hour", "price"]))
    return make_pipeline(numbers, DecisionTreeClassifier(max_depth=3))


def declared(*candidates: Recipe, **fields: Any) -> Model:
    gate = BASE.gate.model_copy(update={"margin": 100.0, "max_latency_ms": 10_000.0, "slices": [], "min_unseen_days": 1})
    return BASE.model_copy(update={"candidates": list(candidates), "gate": gate} | fields)


SEARCHED = declared(Search(GradientBoosting(trees=5), over={"leaves": [4, 8]}, trials=2), weights=recent)
SINCE = declared(  # the same candidate with another seed and beside another, under another gate, in a rollout
    GradientBoosting(trees=3),
    SEARCHED.candidates[0].model_copy(update={"seed": 9}),
    weights=recent,
    gate=BASE.gate.model_copy(update={"prove": "better", "backtest": WEEK, "folds": 2}),
    rollout=[Shadow(for_="7d")],
)
CHECKPOINTED = declared(GoesOn())
NATIVE = declared(Sklearn("tree", tree, native=TREES))


def stored(loop: Loop) -> tuple[set[Path], list[Any], dict[Any, int]]:
    """All that a reproduction must leave as it is."""
    files = {file for file in loop.runtime.lake.root.rglob("*") if file.is_file()}
    with loop.runtime.engine.connect() as connection:
        counts = {name: connection.execute(sa.text(f'SELECT count(*) FROM "{name}"')).scalar() for name in tables(connection)}
        rows = connection.execute(sa.select(ledger_table)).all()
    return files, [*rows, *sorted(counts.items())], dict(loop.registry.pointers)


def tables(connection: sa.Connection) -> list[str]:
    return sa.inspect(connection).get_table_names()


def record(loop: Loop, version: int) -> Version:
    with loop.runtime.engine.connect() as connection:
        found = ledger.recorded(connection, BASE.name, version)
    assert found is not None
    return manifests.get(loop.runtime.lake, found.manifest, Version)


def correct(loop: Loop) -> None:
    """An old day's prices are published again with other values, and an outcome arrives that was known long before."""
    (source,) = BASE.sources
    old = (pl.col("period_start") > BASE.go_live - 4 * WEEK) & (
        pl.col("period_start") < BASE.go_live - 4 * WEEK + timedelta(days=1)
    )
    changed = pl.when(old).then(pl.col("price") * 2 + 0.01).otherwise("price").alias("price")
    loop.recorded = {source.name: loop.recorded[source.name].with_columns(changed)}
    loop.publish(since=BASE.go_live - 5 * WEEK, until=BASE.go_live)
    with loop.runtime.engine.begin() as connection:
        asked = connection.execute(sa.text("SELECT request_id, event_time FROM predictions ORDER BY event_time LIMIT 3")).all()
        quarantines.put(connection, BASE.name, (BASE.go_live, BASE.go_live + timedelta(days=1)), {"price": "wrong"})
    late = [Outcome(request_id=row[0], model=BASE.name, outcome=1.0, observed_at=row[1] + timedelta(hours=2)) for row in asked]
    late += [Outcome(request_id=row[0], model=BASE.name, outcome=0.0, observed_at=row[1] + timedelta(hours=3)) for row in asked]
    loop.log([], late)


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    """Version 1 of a search with weights; 2 and 3, each of which goes on from the checkpoint of the one before."""
    made = Loop(engine, tmp_path, SEARCHED, electricity().recorded)
    made.bootstrap()
    made.play(BASE.go_live, BASE.go_live + 2 * WEEK)
    for version, model in ((2, CHECKPOINTED), (3, CHECKPOINTED)):
        made.model = model
        concluded = made.retrain(None, cutoff=BASE.go_live + timedelta(days=3 * version))
        assert concluded.version == version, concluded.reason
    return made


def again(loop: Loop, model: Model, version: int, **options: Any) -> Reproduction:
    return reproduce(loop.runtime, model, version, **options)


def test_a_version_is_made_again_after_new_data_landed_and_an_old_day_was_corrected(loop: Loop) -> None:
    correct(loop)
    loop.model = NATIVE
    concluded = loop.retrain(None, cutoff=BASE.go_live + timedelta(days=12))
    assert concluded.version == 4, concluded.reason
    first, third, fourth = (record(loop, version) for version in (1, 3, 4))
    assert first.training_set.days.items() != {day: fourth.training_set.days[day] for day in first.training_set.days}.items()
    assert first.candidate.searched["trials"] == 2
    assert third.parent == 2
    cards = {version: loop.registry.cards[BASE.name, version] for version in (1, 3, 4)}
    assert "Found by its search: leaves=" in cards[1]
    assert "| parent | version 2, whose fit it went on from |" in cards[3]
    assert "- It is not portable: no ONNX but a file of skops" in cards[4]
    assert "| promoted | test | no worse: " in cards[4]
    with loop.runtime.engine.begin() as connection:  # as `everfit prune` removes them
        connection.execute(sa.text("DELETE FROM outcomes"))
        connection.execute(sa.text("DELETE FROM predictions"))
    before = stored(loop)
    for model, version in ((SINCE, 1), (CHECKPOINTED, 3), (NATIVE, 4)):
        done = again(loop, model, version)
        assert done.words == f"electricity_price version {version} is identical", done
        assert [part.name for part in done.parts] == ["data", "metrics", "weights"]
    assert stored(loop) == before
    _refused_and_told(loop)
    _older_record_is_told(loop, first)
    _what_is_lost_is_told(loop, first)


def _refused_and_told(loop: Loop) -> None:
    other = declared(Search(GradientBoosting(trees=6), over={"leaves": [4, 8]}, trials=2), weights=recent)
    refused = again(loop, other, 1)
    assert (refused.state, refused.parts) == ("refused", [])
    assert "declaration, candidates.gradient_boosting_search.recipe.trees: 5 → 6; it was made at commit" in refused.words
    assert refused.words.endswith("make it where they are as then, or see by --anyway how far off it is")
    shown = again(loop, other, 1, anyway=True)
    assert [part.identical for part in shown.parts] == [True, False, False]
    assert "; its metrics differ first: " in shown.words
    assert shown.parts[2].finding.startswith("answers differ by at most 0.")
    (gone,) = again(loop, NATIVE, 1, anyway=True).parts
    assert gone.finding == "electricity_price declares no candidate gradient_boosting_search now; it declares tree"
    with pytest.raises(LostVersionError, match="the ledger knows no version 9 of electricity_price; the newest is 4"):
        again(loop, NATIVE, 9)


def _older_record_is_told(loop: Loop, first: Version) -> None:
    """Of a version that an older everfit made, the labels as they are known now are taken: an old price was corrected since."""
    given = msgspec.structs.replace(first.training_set, outcomes=None, sources={})
    older = loop.runtime.lake.put_json(msgspec.structs.replace(first, training_set=given, made_with=None))
    detail = {"manifest": older, "trained_until": given.cutoff.isoformat()}
    with loop.runtime.engine.begin() as connection:
        ledger.append(
            connection, ledger.Entry(BASE.name, "promoted", 4, 5, "test", "person", "older", None, BASE.go_live, detail)
        )
    refused = again(loop, SEARCHED, 5)
    assert refused.unrecorded == [
        "an older everfit did not record with which packages, commit and declaration it was made nor "
        "which labels and quarantines its rows are made of"
    ]
    data = again(loop, SEARCHED, 5, anyway=True).parts[0]
    assert not data.identical
    assert re.fullmatch(r"5,732 rows on record and 5,732 now; (\d+) of these are no longer so, and \1 are new", data.finding)


def _what_is_lost_is_told(loop: Loop, first: Version) -> None:
    digest = next(iter(first.training_set.days.values()))
    loop.runtime.lake.path(digest, "parquet").unlink()
    lost = f"version 1 of electricity_price cannot be made again, for a part of its rows was pruned or lost: no object {digest}"
    with pytest.raises(MissingObjectError, match=lost):
        again(loop, SEARCHED, 1)
