"""Small versions with all that a promotion records, for tests of who is champion: no training of a whole model."""

from datetime import UTC, datetime

import polars as pl

from everfit import GradientBoosting, Model
from everfit.evidence.calibration import Calibration
from everfit.evidence.quality import ColumnProfile, Profile
from everfit.pipeline.manifests import Evaluation, Trained, TrainingSet, Version
from everfit.store.lake import Lake
from everfit.training.artifact import Signature
from tests.serving import graph

CUTOFF = datetime(1996, 9, 4, tzinfo=UTC)


def described(lake: Lake, model: Model, bias: float, *, signed: bool = True) -> Version:
    """A version whose score is the sigmoid of ``bias`` plus the first number; not ``signed``: as an older everfit wrote it."""
    columns = {name: [None] for name, _ in model.features}
    schema = {name: pl.String if kind == "category" else pl.Float64 for name, kind in model.features}
    candidate = Trained(
        name="gradient_boosting",
        config=GradientBoosting().model_dump(mode="json"),
        onnx=lake.put(graph(model, bias), "onnx"),
        backtest=lake.put_frame(pl.DataFrame()),
        reference=lake.put_frame(pl.DataFrame(columns, schema=schema)),
        calibration=Calibration(thresholds=[], limit=2.0, windows=0, min_rows=2, sample_rows=50, seed=0),
        profile=Profile(model.schema_id, 0.0, [ColumnProfile(name, 0.0, False) for name, _ in model.features]),
        metrics={},
        latency_ms=0.1,
        refused=None,
        seconds=0.1,
        signature=Signature.of(model) if signed else None,
    )
    given = TrainingSet(
        model=model.name,
        cutoff=CUTOFF,
        cause="person",
        reason="by hand",
        request=None,
        rows_hash="",
        rows=1,
        baseline=0.5,
        days={},
        code_version="",
    )
    judged = Evaluation(trained_model="", champion=None, compared=[], winner=candidate.name, reason="better")
    return Version(model=model.name, candidate=candidate, training_set=given, evaluation=judged, expected_loss=0.6)
