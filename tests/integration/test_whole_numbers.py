"""Ids that a float64 cannot tell apart stay apart: from the file to the landed row, the online state and the offline one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl
import pytest
from sqlalchemy import Engine

from everfit import Category, Column, Gate, Integer, Model, Number, Source, Time, feature_view, latest, mean
from everfit.declaration.number_range import EXACT, WHOLE
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.serving.lookup import Lookup
from everfit.sources.publication import publish_from
from everfit.store.frames import landed
from models.electricity_price import electricity_price
from tests.readings import declared_readings

AT = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LARGE = [1234567890123456789, 1234567890123456790, EXACT + 1, EXACT + 2, -WHOLE, WHOLE]
SMALL = [EXACT, EXACT - 1, -EXACT, 1 - EXACT, 0, 7]
readings = Source(
    name="readings",
    columns=[Integer("pump"), Time("hour"), Number("heat")],
    identity=["pump", "hour"],
    event_time="hour",
)


@feature_view(key="pump", known_at="hour", features=latest("heat") | {"mean": mean("heat", over="1d")})
def heat(readings: Any) -> Any:
    """What a pump read last."""
    return readings


def hours(readings: Any) -> Any:
    """Every reading with its pump as text, as a label of its own."""
    return readings.with_columns(event_time=nw.col("hour"), observed_at=nw.col("hour"), up=nw.lit(1))


def a_model(pump: Column) -> Model:
    """A model whose request names a pump."""
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields}
    changes = {"entity": "pump", "sources": [readings], "request": [pump], "views": [heat], "history": hours}
    return Model(**declared | changes | {"event_time": "hour", "gate": Gate()})


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize(("pump", "ids"), [(Category("pump"), LARGE), (Integer("pump"), SMALL)], ids=["text", "whole"])
def test_neighbours_are_two(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, pump: Column, ids: Sequence[int]
) -> None:
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "60s")  # a busy machine may answer late
    model = a_model(pump)
    frame = pl.DataFrame(
        {"pump": ids, "hour": ["2024-01-01T00:00:00Z"] * len(ids), "heat": [float(n) for n in range(len(ids))]}
    )
    path = tmp_path / f"readings.{kind}"
    getattr(frame, f"write_{'ndjson' if kind == 'jsonl' else kind}")(path)
    assert publish_from(engine, {model.name: model}, "readings", str(path)) == (len(ids), len(ids))
    assert publish_from(engine, {model.name: model}, "readings", str(path)) == (len(ids), 0)

    with engine.connect() as connection:
        held = landed(connection, readings, (AT, AT + DAY))
    assert dict(zip(held["pump"], held["heat"], strict=True)) == dict(zip(ids, frame["heat"], strict=True))
    asked = [{"pump": str(one) if isinstance(pump, Category) else one} for one in ids]
    assert looked_up(engine, model, asked) == [{"heat": float(n), "mean": float(n)} for n in range(len(ids))]
    spine = labelled(model, {"readings": held})
    assert spine["_request_id"].n_unique() == len(ids)
    assert all(str(one) in name for one, name in zip(held["pump"], spine["_request_id"], strict=True))
    assert compute([heat], {"readings": held}, spine)["heat"].to_list() == held["heat"].to_list()


def looked_up(engine: Engine, model: Model, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What serving finds for requests as they are read."""

    async def find() -> list[dict[str, Any]]:
        store = Lookup(engine)
        found = await store.features(declared_readings(model), rows, AT)
        await store.close()
        return [one.features for one in found]

    return asyncio.run(find())
