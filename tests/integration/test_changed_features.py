"""A declared change of features while a model is live: windows of both schemas are judged, and training goes on across it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import narwhals.stable.v2 as nw
import polars as pl
import pytest
import sqlalchemy as sa

from everfit import Category, Model
from everfit.declaration.feature_changes import feature_changes
from everfit.pipeline import lineage, manifests, training_set
from everfit.pipeline.manifests import TrainingSet
from everfit.store import frames
from everfit.store.tables import quarantines
from everfit.topics.events import Prediction
from tests.events import prediction
from tests.examples import electricity
from tests.loop import Loop

WEEK = timedelta(days=7)
MODEL = electricity().model
NARROW = MODEL.model_copy(update={"views": MODEL.views[:1]})
ASKED_MORE = MODEL.model_copy(update={"request": [*MODEL.request, Category("season", nullable=True)]})
EASY = MODEL.gate.model_copy(update={"margin": 1.0})


def declared(loop: Loop, model: Model) -> None:
    """From now on this is what every process has declared."""
    loop.model = model
    loop.runtime.__dict__["models"] = {model.name: model}


def verdicts(loop: Loop, number: int) -> dict[tuple[int, str], str]:
    """What is found on the week of that number."""
    judged = loop.judge(MODEL.go_live + number * WEEK).judgements
    return {(one.version, one.kind): one.verdict for one in judged}


@pytest.mark.parametrize(("old", "new"), [(NARROW, MODEL), (MODEL, NARROW)], ids=["features added", "features removed"])
def test_the_loop_goes_on_across_a_change_of_features(engine: sa.Engine, tmp_path: Path, old: Model, new: Model) -> None:
    loop = Loop(engine, tmp_path, old, electricity().recorded)
    start = MODEL.go_live
    loop.bootstrap()
    loop.play(start, start + 2 * WEEK)  # in the second week the new declaration is there, and the old champion still answers
    first = verdicts(loop, 0)
    declared(loop, new)
    second = verdicts(loop, 1)
    assert first[1, "quality"] == second[1, "quality"] == "ok"
    assert {second[1, kind] for kind in ("drift", "performance")} <= {"ok", "alarm"}
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(quarantines)).scalar() == 0
    declared(loop, new.model_copy(update={"gate": EASY}))
    concluded = loop.retrain(None, cutoff=start + 2 * WEEK)
    assert f"the champion was given the inputs of its own schema {old.schema_id}, in " in concluded.reason
    assert f"(declared since: {feature_changes(old.features, new.features)})" in concluded.reason
    made, _ = manifests.newest(loop.runtime, new, "training_set", TrainingSet)
    rows = loop.runtime.lake.get_frame(made.rows_hash)
    assert set(rows.columns) >= {name for name, _ in new.features}
    assert rows.height > 2 * 7 * 48
    added = [name for name, kind in new.features if (name, kind) not in old.features]
    assert all(rows[name].null_count() < 0.01 * rows.height for name in added), "computed for the old rows, too"


def test_a_new_request_field_is_null_in_the_rows_of_before(engine: sa.Engine, tmp_path: Path) -> None:
    loop = Loop(engine, tmp_path, MODEL, electricity().recorded)
    loop.bootstrap()
    loop.play(MODEL.go_live, MODEL.go_live + WEEK)
    history, season = MODEL.history, nw.lit("spring").alias("season")
    seasonal = ASKED_MORE.model_copy(update={"history": lambda half_hours: history(half_hours).with_columns(season)})
    declared(loop, seasonal)
    concluded = loop.retrain(None, cutoff=MODEL.go_live + WEEK)
    assert concluded.reason
    made, _ = manifests.newest(loop.runtime, seasonal, "training_set", TrainingSet)
    rows = loop.runtime.lake.get_frame(made.rows_hash)
    since = pl.col("_event_time") >= MODEL.go_live
    assert rows.filter(since)["season"].null_count() == rows.filter(since).height > 0
    assert rows.filter(~since)["season"].unique().to_list() == ["spring"]


def test_days_of_an_earlier_declaration_are_made_anew_by_name(engine: sa.Engine, tmp_path: Path) -> None:
    loop = Loop(engine, tmp_path, NARROW, electricity().recorded)
    loop.bootstrap()
    views = [replace(view, features=dict([*view.features.items()][::-1])) for view in MODEL.views]
    turned = MODEL.model_copy(update={"views": views})
    for model in (MODEL, turned):
        declared(loop, model)
        stale = lineage.stale_days(loop.runtime, model, before=MODEL.go_live)
        assert bool(stale) == (model is MODEL), "an order of features is no other content"
        loop.retrain(None, cutoff=MODEL.go_live)
    made = training_set.assemble(loop.runtime, turned, cutoff=MODEL.go_live, request=None)
    names = [name for name, _ in turned.features]
    assert [name for name in loop.runtime.lake.get_frame(made.rows_hash).columns if name in names] == names


def test_each_row_of_the_log_is_read_by_its_own_schema(engine: sa.Engine, tmp_path: Path) -> None:
    loop = Loop(engine, tmp_path, NARROW, electricity().recorded)
    loop.bootstrap()
    narrow = prediction(0)
    values = {name: narrow.features[name] for name, _ in NARROW.features}
    rows = [
        prediction(1),
        Prediction(
            **{**{f: getattr(narrow, f) for f in narrow.__struct_fields__}, "features": values, "schema": NARROW.schema_id}
        ),
    ]
    loop.log(rows)
    span = (MODEL.go_live, MODEL.go_live + WEEK)
    with engine.connect() as connection:
        wide = frames.logged(connection, MODEL, span, known_at=span[1])
        by_narrow = frames.logged(connection, MODEL, span, known_at=span[1], features=NARROW.features)
    added = [name for name, kind in MODEL.features if (name, kind) not in NARROW.features]
    by_id = {row["_request_id"]: row for row in wide.to_dicts()}
    assert {by_id[narrow.request_id][name] for name in added} == {None}
    assert [row["_request_id"] for row in wide.to_dicts()] == sorted(by_id)
    assert all(by_id[one.request_id][name] == one.features[name] for one in rows for name, _ in NARROW.features)
    assert by_narrow.select(*values).to_dicts() == wide.select(*values).to_dicts()
