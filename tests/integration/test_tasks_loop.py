"""Tasks whose answers are several numbers go round the loop: trained, promoted, served, logged, judged, trained again."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from everfit import GradientBoosting, MulticlassClassification, QuantileRegression, Task
from everfit.declaration.reserved_columns import LABEL, SCORE, SPREAD
from everfit.pipeline import manifests
from everfit.pipeline.manifests import TrainedModel, TrainingSet
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.protocol import inferred, model_metadata, predicted
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.store import frames
from everfit.store.database import migrate
from everfit.store.log import Batch, DeadLetter, LogWriter
from everfit.store.tables import dead_letters, outcomes, predictions
from everfit.topics.contract import Contract
from everfit.topics.events import Prediction
from tests.events import outcome, prediction, rows, write
from tests.examples import electricity
from tests.linear import Linear
from tests.loop import Loop
from tests.serving import AsRegistered, MemoryProducer

WEEK = timedelta(days=7)
KINDS = MulticlassClassification("kind", ["low \\ 'l'", "high", "never"])  # a name that COPY and JSON escape
QUANTILES = QuantileRegression("load", [0.1, 0.5, 0.9])


def loads(half_hours: Any) -> Any:
    """One row a half-hour: the demand in it, in per cent of the largest, and whether that is high."""
    start = nw.col("period_start")
    return half_hours.select(
        "region",
        event_time=start,
        half_hour=start.dt.hour() * 2 + start.dt.minute() // 30,
        weekday=start.dt.weekday() - 1,
        load=nw.col("demand") * 100,
        kind=nw.when(nw.col("demand") > 0.45).then(nw.lit("high")).otherwise(nw.lit(KINDS.classes[0])),
        observed_at=start.dt.offset_by("30m"),
    )


@pytest.mark.parametrize("task", [KINDS, QUANTILES], ids=["classes", "quantiles"])
def test_a_task_of_several_numbers_goes_round_the_loop(engine: sa.Engine, tmp_path: Path, task: Task) -> None:
    changed = {"task": task, "history": loads, "candidates": [Linear(), GradientBoosting(trees=10, early_stopping=3)]}
    model = electricity().model.model_copy(update=changed)
    loop = Loop(engine, tmp_path, model, electricity().recorded)
    loop.bootstrap()
    loop.play(model.go_live, model.go_live + WEEK)
    judged = {one.kind: one for one in loop.judge(model.go_live).judgements}

    given, _ = manifests.newest(loop.runtime, model, "training_set", TrainingSet)
    assert isinstance(given.baseline, list)
    assert len(given.baseline) == 3
    trained, _ = manifests.newest(loop.runtime, model, "trained_model", TrainedModel)
    assert [candidate.name for candidate in trained.candidates] == ["linear", "gradient_boosting"], trained.set_aside
    unseen = f"without a row among {given.rows}, and answered with a small probability: 'never'"
    for candidate in trained.candidates:
        assert candidate.refused is None
        assert candidate.notes == ([] if task is QUANTILES else [unseen])
        assert {SCORE, SPREAD} <= {threshold.column for threshold in candidate.calibration.thresholds}
    assert judged["performance"].verdict in ("ok", "alarm"), judged["performance"].reason
    assert judged["performance"].reason.startswith(task.loss_name)
    assert {SCORE, SPREAD} <= {column["column"] for column in judged["drift"].detail["columns"]}
    with engine.connect() as connection:
        span = (model.go_live, model.go_live + WEEK)
        logged = frames.logged(connection, model, span, known_at=span[1] + WEEK)
    assert logged.schema[SCORE] == pl.Array(pl.Float64, 3)
    assert logged[LABEL].null_count() == 0
    assert not any(task.answer_fault(answer) for answer in logged[SCORE].to_list())
    assert served(loop, engine, tmp_path).keys() == set(task.score_names)
    again = loop.retrain(None, cutoff=model.go_live + WEEK)
    assert "against the champion" in again.reason, again.reason
    assert manifests.newest(loop.runtime, model, "training_set", TrainingSet)[0].rows > given.rows, "outcomes are labels"


def served(loop: Loop, engine: sa.Engine, folder: Path) -> dict[str, float]:
    """The scores that serving answers to one request, and logs."""
    model, models, producer = loop.model, loop.runtime.models, MemoryProducer()
    at = model.go_live + WEEK
    asked = CheckedRequest("r", at, ["r"], [{"region": "NSW", "half_hour": 0, "weekday": 2}])

    async def ask() -> tuple[dict[str, Any], ...]:
        views = Views(models, engine)
        cache = ModelCache(models, AsRegistered(loop.registry), views.remember)
        service = Service(
            models, cache, views, Lookup(engine), PredictionLog(producer, Spool(folder / "spool.jsonl")), Metrics()
        )
        await cache.refresh(model.name)
        views.refresh()
        answered = await service.answer(model, asked)
        await service.close()
        metadata = model_metadata(model, cache.active[model.name])
        return predicted(model, asked, answered), inferred(model, asked, answered), metadata

    answer, tensors, metadata = asyncio.run(ask())
    (tensor,), (described,) = tensors["outputs"], metadata["outputs"]
    assert (tensor["name"], tensor["datatype"], tensor["shape"]) == ("scores", "FP64", [1, 3])
    assert (described["name"], described["shape"]) == ("scores", [-1, 3])
    assert [str(name) for values in described["parameters"].values() for name in values] == list(model.task.score_names)
    assert tensor["data"] == [list(answer["scores"].values())]
    assert answer["score"] is None
    (record,) = producer.taken
    assert Contract(models).prediction(record.value, at).scores == answer["scores"]
    scores: dict[str, float] = answer["scores"]
    return scores


def test_classes_and_their_scores_are_stored_once_and_a_contradiction_names_both(engine: sa.Engine) -> None:
    scores = {"low \\ 'l'": 0.25, "high": 0.5, "never": 0.25}
    several = msgspec.structs.replace(prediction(0), score=None, scores=scores)
    other = msgspec.structs.replace(several, scores=scores | {"high": 0.25, "never": 0.5})
    snow, rain = (msgspec.structs.replace(outcome(0), outcome=text) for text in ("sn\tow\\", "rain"))
    write(engine, [several, several], [snow, snow])
    assert write_again(engine, [other], [rain]) == 2
    with engine.connect() as connection:
        stored = connection.execute(sa.select(predictions.c.score, predictions.c.scores)).one()
        truth = connection.execute(sa.select(outcomes.c.outcome, outcomes.c.outcome_class)).one()
        reasons = connection.execute(sa.select(dead_letters.c.reason)).scalars().all()
    assert (tuple(stored), tuple(truth)) == ((None, scores), (None, "sn\tow\\"))
    assert "has scores" in reasons[0]
    assert r"has outcome_class sn" in reasons[1]


def write_again(engine: sa.Engine, answers: list[Prediction], truths: list[Any]) -> int:
    """Write a batch that has records; returns its dead letters."""
    batch = Batch(rows(answers), rows(truths), [], [])
    for place, part in enumerate((batch.predictions, batch.outcomes)):
        part.records = [DeadLetter("topic", 0, place, "log-id", b"", "")]
    written = LogWriter(engine).write(batch)
    assert written is not None
    return written.dead


def test_a_log_of_the_former_schema_takes_answers_of_several_numbers_into_its_partitions(engine: sa.Engine) -> None:
    write(engine, [prediction(0)], [outcome(0)])
    migrate(engine, "0013", down=True)
    migrate(engine)
    several = msgspec.structs.replace(prediction(1), score=None, scores={"0.1": 1.0, "0.5": 2.0})
    write(engine, [several], [msgspec.structs.replace(outcome(1), outcome="rain")])
    with engine.connect() as connection:
        stored = connection.execute(sa.select(predictions.c.score).order_by(predictions.c.event_time)).scalars().all()
        truths = connection.execute(sa.select(outcomes.c.outcome_class).order_by(outcomes.c.observed_at)).scalars().all()
    assert (stored, truths) == ([0.5, None], [None, "rain"])


def test_numbers_of_the_log_are_read_back_to_the_last_digit(engine: sa.Engine) -> None:
    random = np.random.default_rng(0).uniform(-1e6, 1e6, size=3).tolist()
    task = QuantileRegression("load", [0.1, 0.5, 0.9])
    scores = dict(zip(task.score_names, sorted(random), strict=True))
    write(engine, [msgspec.structs.replace(prediction(0), score=None, scores=scores)])
    model = electricity().model.model_copy(update={"task": task})
    with engine.connect() as connection:
        read = frames.logged(connection, model, (model.go_live, model.go_live + WEEK), known_at=model.go_live)
    assert read[SCORE].to_list() == [list(scores.values())]
