"""Every name that a user may choose is usable: those of our own columns, of the topics and of what reads the frames too."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from everfit import (
    BinaryClassification,
    Category,
    DriftPolicy,
    FreshnessPolicy,
    Gate,
    GradientBoosting,
    Integer,
    Model,
    Number,
    Source,
    Time,
    feature_view,
)
from everfit.declaration.model import HISTORY_TIMES
from everfit.declaration.views import Latest, Windowed
from everfit.serving.request_schema import read_predict
from everfit.stack.postgres import Postgres
from everfit.store.database import create_engine
from everfit.store.frames import logged
from everfit.timing import wall_clock
from everfit.topics.contract import Contract
from everfit.topics.events import Prediction, encode
from tests.databases import fresh_database
from tests.loop import Loop

LIVE = datetime(2024, 3, 1, tzinfo=UTC)
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
OURS = ["score", "version", "schema", "degraded", "outcome", "observed_at", "event_time", "request_id", "late", "role"]
OURS += [
    "candidate",
    "label",
    "entity",
    "model",
    "features",
    "known_at",
    "key",
    "at",
    "row",
    "day",
    "static",
    "timer",
    "value_0",
]
OTHERS = ["target", "prediction", "index", "id", "user", "order", "select", "group", "literal", "len", "count", "weight"]


class Names(NamedTuple):
    """What a user calls things; the label may be called like a feature."""

    entity: str
    number: str
    text: str
    newest: str
    mean: str
    columns: list[str]
    label: str


@st.composite
def names(draw: st.DrawFn) -> Names:
    """Five features of distinct names, four columns of a source, a label that is called like neither time of a history."""
    name = st.sampled_from(OURS + OTHERS)
    entity, number, text, newest, mean = draw(st.lists(name, min_size=5, max_size=5, unique=True))
    columns = draw(st.lists(name, min_size=4, max_size=4, unique=True))
    label = draw(name.filter(lambda one: one not in HISTORY_TIMES))
    return Names(entity, number, text, newest, mean, columns, label)


def a_model(of: Names) -> Model:
    """Hours of two places under these names."""
    place, at, level, up = of.columns

    @feature_view(
        key=of.entity,
        known_at="_known",
        features={of.newest: Latest("_level"), of.mean: Windowed("_level", "mean", 3 * HOUR, resolution=1e-6)},
    )
    def levels(ticks: Any) -> Any:
        known = {of.entity: nw.col(place), "_known": nw.col(at).dt.offset_by("1h"), "_level": nw.col(level)}
        return ticks.select(*(column.alias(name) for name, column in known.items()))

    def history(ticks: Any) -> Any:
        hour = nw.col(at).dt.hour()
        fields = {of.entity: nw.col(place), of.number: hour, of.text: (hour // 6).cast(nw.String)}
        ours = {"_event_time": nw.col(at), "_observed_at": nw.col(at).dt.offset_by("1h"), f"_{of.label}": nw.col(up)}
        return ticks.select(*(column.alias(name) for name, column in (fields | ours).items()))

    ticks = Source(
        name="ticks",
        columns=[Category(place), Time(at), Number(level), Integer(up, between=(0, 1))],
        identity=[place, at],
        event_time=at,
        known_after="1h",
        recorded=lambda: recorded(of),
    )
    return Model(
        name="named",
        task=BinaryClassification(label=of.label),
        entity=of.entity,
        event_time=at,
        go_live=LIVE,
        sources=[ticks],
        request=[Category(of.entity), Integer(of.number, between=(0, 23)), Category(of.text)],
        views=[levels],
        history=history,
        candidates=[GradientBoosting(trees=3, min_leaf_rows=5)],
        gate=Gate(backtest="7d", folds=1, min_unseen_days=1, slices=[of.text]),
        drift=DriftPolicy(window=WEEK, min_rows=50),
        freshness=FreshnessPolicy(max_training_age="90d"),
    )


def recorded(of: Names) -> pl.DataFrame:
    """Four weeks before the go-live and one after it, whose levels are far from those before."""
    hours = np.arange(5 * 7 * 24)
    moments = [LIVE - 4 * WEEK + int(hour) * HOUR for hour in hours]
    level = np.random.default_rng(3).normal(0, 1, len(hours)) + 20 * (hours >= 4 * 7 * 24)
    up = (hours % 24 < 10).astype(int)
    parts = [pl.DataFrame(dict(zip(of.columns, ([place] * len(hours), moments, level, up), strict=True))) for place in "ab"]
    return pl.concat(parts).with_columns(pl.col(of.columns[1]).cast(pl.Datetime("us", "UTC")))


@contextmanager
def disposed(engine: Engine) -> Iterator[Engine]:
    """The engine, its connections given back at the end."""
    try:
        yield engine
    finally:
        engine.dispose()


@settings(max_examples=2)
@given(of=names())
@example(of=Names("entity", "event_time", "label", "score", "version", ["row", "observed_at", "key", "label"], "score"))
@example(of=Names("request_id", "target", "prediction", "index", "candidate", ["at", "event_time", "schema", "late"], "target"))
def test_any_names_go_from_the_request_to_the_evidence(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, of: Names
) -> None:
    model = a_model(of)
    with fresh_database(postgres) as url, disposed(create_engine(url)) as engine:
        loop = Loop(engine, tmp_path_factory.mktemp("names"), model)
        loop.bootstrap()
        loop.play(LIVE, LIVE + WEEK)
        with engine.connect() as connection:
            rows = logged(connection, model, (LIVE, LIVE + WEEK), known_at=LIVE + 2 * WEEK)
        assert {name for name, _ in model.features} < set(rows.columns)
        assert rows.height == 2 * 7 * 24
        judged = {one.kind: one for one in loop.judge(LIVE).judgements}
        assert (judged["quality"].verdict, judged["drift"].verdict) == ("ok", "alarm")
        assert {of.newest, of.mean} <= {one["column"] for one in judged["drift"].detail["columns"] if one["drifted"]}
        assert judged["performance"].verdict == "ok"
        assert loop.retrain(None, LIVE + WEEK).reason


@given(of=names())
def test_any_names_are_read_from_a_request_and_from_the_log(of: Names) -> None:
    model = a_model(of)
    inputs = {of.entity: "a", of.number: 3, of.text: "0"}
    body = {"request_id": "r", "event_time": "2024-03-02T00:00:00Z", "inputs": inputs}
    asked = read_predict(model, msgspec.json.encode(body))
    assert asked.rows == [inputs]
    features = dict(asked.rows[0]) | {of.newest: 1.5, of.mean: None}
    prediction = Prediction(
        request_id=asked.id,
        model=model.name,
        version=1,
        role="champion",
        entity="a",
        event_time=asked.at,
        features=features,
        score=0.5,
        schema=model.schema_id,
    )
    read = Contract({model.name: model}).prediction(encode(prediction), wall_clock())
    assert msgspec.json.decode(read.features) == features
