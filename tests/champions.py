"""Versions that nobody has to train, for tests of what is judged of them."""

import polars as pl
import sqlalchemy as sa

from everfit.evidence.calibration import Calibration
from everfit.evidence.quality import Profile
from everfit.pipeline.manifests import Evaluation, Trained, TrainingSet, Version
from everfit.store import ledger
from everfit.store.lake import Lake
from everfit.training.artifact import Signature
from tests.events import MODEL


def version(lake: Lake, model: str) -> str:
    """The manifest of a version that nobody has to train."""
    calibration = Calibration(thresholds=[], limit=2.0, windows=0, min_rows=200, sample_rows=2_000, seed=0)
    trained = Trained(
        name="none",
        config={},
        onnx="",
        backtest="",
        reference=lake.put_frame(pl.DataFrame({"score": [0.5]})),
        calibration=calibration,
        profile=Profile(MODEL.schema_id, 0.0, []),
        metrics={},
        latency_ms=1.0,
        refused=None,
        seconds=0.0,
        signature=Signature.of(MODEL.model_copy(update={"name": model})),
    )
    training_set = TrainingSet(
        model=model,
        cutoff=MODEL.go_live,
        cause="person",
        reason="",
        request=None,
        rows_hash="",
        rows=0,
        baseline=0.5,
        days={},
        code_version="",
    )
    evaluation = Evaluation(trained_model="", champion=None, compared=[], winner="none", reason="")
    return lake.put_json(
        Version(model=model, candidate=trained, training_set=training_set, evaluation=evaluation, expected_loss=0.69)
    )


def promote(engine: sa.Engine, model: str, manifest: str) -> None:
    detail = {"manifest": manifest, "trained_until": MODEL.go_live.isoformat()}
    with engine.begin() as connection:
        ledger.append(
            connection,
            ledger.Entry(model, "promoted", None, 1, "test", "person", "the first", None, MODEL.go_live, detail),
        )
