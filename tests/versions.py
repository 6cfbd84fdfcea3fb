"""Small versions with all that a promotion records, for tests of who is champion: no training of a whole model."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from everfit import GradientBoosting, Model
from everfit.evidence.calibration import Calibration
from everfit.evidence.quality import ColumnProfile, Profile
from everfit.pipeline.manifests import Evaluation, Trained, TrainingSet, Version
from everfit.store import ledger
from everfit.store.lake import Lake
from everfit.training.artifact import Signature
from tests.events import MODEL
from tests.serving import graph

CUTOFF = datetime(1996, 9, 4, tzinfo=UTC)
NO_ALARM = Calibration(thresholds=[], limit=2.0, windows=0, min_rows=2, sample_rows=50, seed=0)


def untrained(model: Model, **trained: Any) -> Version:
    """A version trained up to the go-live, as far as its manifest says; ``trained`` are fields of its :class:`Trained`."""
    nothing: dict[str, Any] = {"name": "none", "config": {}, "artifact": "", "backtest": "", "metrics": {}, "latency_ms": 0.1}
    known = {"calibration": NO_ALARM, "profile": Profile(model.schema_id, 0.0, []), "refused": None, "seconds": 0.1}
    candidate = Trained(**(nothing | known | trained))
    judged = Evaluation(trained_model="", champion=None, compared=[], winner=candidate.name, reason="better")
    given = training_set(model, cutoff=model.go_live, cause="person", reason="by hand")
    return Version(model=model.name, candidate=candidate, training_set=given, evaluation=judged, expected_loss=0.6)


def training_set(model: Model, *, cutoff: datetime, **fields: Any) -> TrainingSet:
    """A training set of which nothing is on record but these fields."""
    nothing: dict[str, Any] = {"request": None, "rows_hash": "", "rows": 1, "baseline": 0.5, "days": {}, "code_version": ""}
    return TrainingSet(**(nothing | {"model": model.name, "cutoff": cutoff} | fields))


def described(lake: Lake, model: Model, bias: float, *, signed: bool = True) -> Version:
    """A version whose score is the sigmoid of ``bias`` plus the first number; not ``signed``: as an older everfit wrote it."""
    columns = {name: [None] for name, _ in model.features}
    schema = {name: pl.String if kind == "category" else pl.Float64 for name, kind in model.features}
    return untrained(
        model,
        name="gradient_boosting",
        config=GradientBoosting().model_dump(mode="json"),
        artifact=lake.put(graph(model, bias), "onnx"),
        backtest=lake.put_frame(pl.DataFrame()),
        reference=lake.put_frame(pl.DataFrame(columns, schema=schema)),
        profile=Profile(model.schema_id, 0.0, [ColumnProfile(name, 0.0, False) for name, _ in model.features]),
        signature=Signature.of(model) if signed else None,
    )


def manifest(lake: Lake, name: str) -> str:
    """The manifest of a version of a model of that name, declared as the demo's; it cannot answer."""
    model = MODEL.model_copy(update={"name": name})
    reference = lake.put_frame(pl.DataFrame({"score": [0.5]}))
    return lake.put_json(untrained(model, reference=reference, signature=Signature.of(model)))


def promote(engine: sa.Engine, model: str, manifest: str) -> None:
    """Enter it in the ledger as the first champion."""
    detail = {"manifest": manifest, "trained_until": MODEL.go_live.isoformat()}
    entry = ledger.Entry(model, "promoted", None, 1, "test", "person", "the first", None, MODEL.go_live, detail)
    with engine.begin() as connection:
        ledger.append(connection, entry)
