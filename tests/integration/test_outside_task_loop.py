"""The loop of a model whose task is from outside: trained, promoted, served and judged, by stages that do not know the task."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import sqlalchemy as sa

from everfit import GradientBoosting
from everfit.declaration.reserved_columns import SCORE
from everfit.pipeline import manifests
from everfit.pipeline.manifests import TrainedModel, TrainingSet
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.protocol import predicted
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.store.tables import ledger
from everfit.topics.contract import Contract
from tests.examples import electricity
from tests.loop import Loop
from tests.serving import AsRegistered, MemoryProducer
from tests.tasks import Bounded

WEEK = timedelta(days=7)


def loads(half_hours: Any) -> Any:
    """One row a half-hour: the demand in it, in per cent of the largest."""
    start = nw.col("period_start")
    return half_hours.select(
        "region",
        event_time=start,
        half_hour=start.dt.hour() * 2 + start.dt.minute() // 30,
        weekday=start.dt.weekday() - 1,
        load=nw.col("demand") * 100,
        observed_at=start.dt.offset_by("30m"),
    )


def test_a_task_from_outside_goes_round_the_loop(engine: sa.Engine, tmp_path: Path) -> None:
    task = Bounded(label="load", between=(0.0, 90.0))
    changed = {"task": task, "history": loads, "candidates": [GradientBoosting(trees=20)]}
    loop = Loop(engine, tmp_path, electricity().model.model_copy(update=changed), electricity().recorded)
    loop.bootstrap()
    loop.play(loop.model.go_live, loop.model.go_live + WEEK)
    judged = {one.kind: one for one in loop.judge(loop.model.go_live).judgements}

    given, _ = manifests.newest(loop.runtime, loop.model, "training_set", TrainingSet)
    assert isinstance(given.baseline, float)
    assert 30 < given.baseline < 60, "the mean load"
    assert given.unusable, "loads above 90 are no labels"
    assert re.fullmatch(r"load is 9\d\.\d+ in one of them, no number from .* to 90; correct .*", given.unusable_because)
    trained, _ = manifests.newest(loop.runtime, loop.model, "trained_model", TrainedModel)
    assert trained.candidates[0].metrics.keys() == {"rows", "squared_error"}
    assert SCORE in {threshold.column for threshold in trained.candidates[0].calibration.thresholds}
    with engine.connect() as connection:
        assert "squared error" in connection.execute(sa.select(ledger.c.reason)).scalar_one()
    assert judged["performance"].verdict in ("ok", "alarm")
    assert judged["performance"].reason.startswith("squared error ")
    assert judged["drift"].verdict in ("ok", "alarm")
    assert SCORE in {column["column"] for column in judged["drift"].detail["columns"]}
    assert 1 < served(loop, engine, tmp_path) < 100, "a load, no probability"


def served(loop: Loop, engine: sa.Engine, folder: Path) -> float:
    """The score that serving answers to one request, and logs."""
    model, models, producer = loop.model, loop.runtime.models, MemoryProducer()
    at = model.go_live + WEEK
    asked = CheckedRequest("r", at, ["r"], [{"region": "NSW", "half_hour": 0, "weekday": 2}])

    async def ask() -> dict[str, Any]:
        views = Views(models, engine)
        cache = ModelCache(models, AsRegistered(loop.registry), views.remember)
        log = PredictionLog(producer, Spool(folder / "spool.jsonl"))
        service = Service(models, cache, views, Lookup(engine), log, Metrics())
        await cache.refresh(model.name)
        views.refresh()
        answered = await service.answer(model, asked)
        await service.close()
        return predicted(model, asked, answered)

    score: float = asyncio.run(ask())["score"]
    (record,) = producer.taken
    assert Contract(models).prediction(record.value, at).score == score
    return score
