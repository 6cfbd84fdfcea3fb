"""A model of flags, texts and vectors through the whole loop: landed, looked up, trained on, judged, and compared again."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from sqlalchemy import Engine

from everfit import (
    BinaryClassification,
    Category,
    DriftPolicy,
    Flag,
    FreshnessPolicy,
    Gate,
    Model,
    Sklearn,
    Source,
    Text,
    Time,
    Vector,
    feature_view,
    latest,
)
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.pipeline import manifests, training_rows
from everfit.serving.batch_scoring import score_table
from everfit.serving.lookup import Lookup
from everfit.serving.request_table import read_table
from everfit.store.frames import logged
from everfit.training.artifact import Scorer
from tests.loop import Loop
from tests.readings import declared_readings

LIVE = datetime(2024, 3, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
NEWEST = ["angry", "subject", "meaning"]


@feature_view(
    key="queue",
    known_at="known",
    features=latest("angry", kind="flag") | latest("subject", kind="text") | latest("meaning", kind="vector", size=3),
)
def mails_now(mails: Any) -> Any:
    """The newest mail of a queue."""
    return mails.with_columns(known=nw.col("at").dt.offset_by("1h"))


def history(mails: Any) -> Any:
    """Whether a mail was answered within an hour."""
    return mails.with_columns(event_time=nw.col("at"), observed_at=nw.col("at").dt.offset_by("1h"))


def words() -> Any:
    """The words of the title, and whether it is urgent."""
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        make_column_transformer((TfidfVectorizer(), "title"), (SimpleImputer(), ["urgent"])), LogisticRegression()
    )


def recorded() -> pl.DataFrame:
    """Four weeks before the go-live and one after it, in which what is meant has turned."""
    hours, draw = np.arange(5 * 7 * 24), np.random.default_rng(3)
    turned = (hours >= 4 * 7 * 24)[:, None] * [0.0, 4.0, 0.0]
    parts = []
    for queue in "ab":
        meaning = (draw.normal(size=(len(hours), 3)) + turned).tolist()
        subject, angry = draw.choice(["late", "thanks", "where is it"], len(hours)), draw.random(len(hours)) < 0.3
        columns = {
            "queue": [queue] * len(hours),
            "at": [LIVE - 4 * WEEK + timedelta(hours=int(hour)) for hour in hours],
            "angry": pl.Series(angry).set(pl.Series(hours % 17 == 0), None),
            "subject": pl.Series(subject).set(pl.Series(hours % 13 == 0), None),
            "meaning": pl.Series(
                [None if n % 11 == 0 else row for n, row in enumerate(meaning)], dtype=pl.Array(pl.Float32, 3)
            ),
            "answered": ((subject == "late") | angry).astype(float),
        }
        fields = {"urgent": angry, "title": columns["subject"], "embedding": columns["meaning"]}
        parts.append(pl.DataFrame(columns | fields))
    return pl.concat(parts).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))


FIELDS = [Flag("urgent", nullable=True), Text("title", nullable=True), Vector("embedding", 3, nullable=True)]
MAILS = Source(
    name="mails",
    columns=[
        *(Category("queue"), Time("at"), Flag("answered"), Flag("angry", nullable=True), Text("subject", nullable=True)),
        *(Vector("meaning", 3, nullable=True), *FIELDS),
    ],
    identity=["queue", "at"],
    event_time="at",
    known_after="1h",
    recorded=lambda: recorded().with_columns(pl.col("answered").cast(pl.Boolean)),
)
MODEL = Model(
    name="mails_answered",
    task=BinaryClassification(label="answered"),
    entity="queue",
    go_live=LIVE,
    sources=[MAILS],
    request=[Category("queue"), *FIELDS],
    views=[mails_now],
    history=history,
    candidates=[Sklearn("words", words)],
    gate=Gate(backtest="7d", folds=1, min_unseen_days=1, slices=["urgent"]),
    drift=DriftPolicy(window=WEEK, min_rows=50),
    freshness=FreshnessPolicy(max_training_age="90d"),
)


def looked_up(engine: Engine, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The view's features as serving finds them for each row at its moment."""

    async def find() -> list[Any]:
        store = Lookup(engine)
        readings = declared_readings(MODEL)
        found = [(await store.features(readings, [row], row["_event_time"]))[0].features for row in rows]
        await store.close()
        return found

    return asyncio.run(find())


def test_the_loop_closes_over_flags_texts_and_vectors(engine: Engine, tmp_path: Path) -> None:
    loop = Loop(engine, tmp_path, MODEL)
    loop.bootstrap()
    loop.play(LIVE, LIVE + WEEK)
    asked = labelled(MODEL, loop.recorded)[:: 1_680 // 60]
    offline = compute(MODEL.views, loop.recorded, asked)
    assert looked_up(engine, asked.to_dicts()) == offline.select(NEWEST).to_dicts()
    assert offline.select(pl.col(NEWEST).is_null().any()).row(0) == (True, True, True)
    with engine.connect() as connection:
        rows = logged(connection, MODEL, (LIVE, LIVE + WEEK), known_at=LIVE + 2 * WEEK)
    names = [name for name, _ in MODEL.features]
    played = labelled(MODEL, loop.recorded).filter(pl.col("_event_time").is_between(LIVE, LIVE + WEEK, closed="left"))
    sent = compute(MODEL.views, loop.recorded, played).sort("_event_time", "_request_id")
    assert rows.sort("_event_time", "_request_id").select(names).equals(sent.select(names))
    judged = {one.kind: one for one in loop.judge(LIVE).judgements}
    assert (judged["quality"].verdict, judged["drift"].verdict) == ("ok", "alarm")
    drifted = {(one["column"], one["measure"]) for one in judged["drift"].detail["columns"] if one["drifted"]}
    assert {("meaning", "vector_mean"), ("embedding", "vector_mean")} <= drifted
    assert {column for column, _ in drifted} <= {"meaning", "embedding"}
    assert loop.retrain(None, LIVE + WEEK).reason


def test_a_champion_with_a_vector_more_is_compared_by_its_own_schema(engine: Engine, tmp_path: Path) -> None:
    loop = Loop(engine, tmp_path, MODEL)
    loop.bootstrap()
    loop.play(LIVE, LIVE + WEEK)
    fewer = [column for column in MODEL.request if column.name != "embedding"]
    changed = Loop(engine, tmp_path, MODEL.model_copy(update={"request": fewer}), loop.recorded)
    changed.registry = loop.registry
    changed.runtime.registry = loop.registry
    concluded = changed.retrain(None, LIVE + WEEK)
    assert "inputs of its own schema" in concluded.reason


def test_a_notebook_gets_the_rows_of_a_training_and_a_table_the_champions_answers(engine: Engine, tmp_path: Path) -> None:
    loop = Loop(engine, tmp_path, MODEL)
    loop.bootstrap()
    trained, _ = manifests.of(loop.runtime, MODEL, manifests.TrainingSet, None)
    rows = training_rows(MODEL.name, as_of="2024-03-01", runtime=loop.runtime)
    assert rows.equals(loop.runtime.lake.get_frame(trained.rows_hash))
    earlier = training_rows(MODEL, as_of="2024-02-15", runtime=loop.runtime)
    assert earlier.equals(rows.filter(pl.col("_observed_at") <= datetime(2024, 2, 15, tzinfo=UTC)))
    asked = rows[-3:].select("_event_time", *(column.name for column in MODEL.request))
    asked.write_parquet(tmp_path / "asked.parquet")
    scored = score_table(loop.runtime, MODEL, read_table(str(tmp_path / "asked.parquet")))
    artifact = loop.registry.fetch(MODEL.name, 1)
    scorer = Scorer(artifact.content, artifact.signature)
    assert scored["_score"].to_list() == [scorer.score_one(row) for row in rows[-3:].to_dicts()]
