"""A model that counts days, by a recipe that answers the mean of the labels that it learnt, and its rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from everfit import (
    Category,
    DriftPolicy,
    FitContext,
    FreshnessPolicy,
    Model,
    Number,
    PredictionLog,
    Recipe,
    Regression,
    Source,
    Time,
)
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID

LIVE = datetime(2024, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


class Mean:
    """Answers the mean of the labels that it learnt."""

    def __init__(self, mean: float) -> None:
        self.mean = mean

    def predict(self, frame: pl.DataFrame) -> Any:
        return np.full(frame.height, self.mean)

    def to_onnx(self) -> bytes:
        raise NotImplementedError("never exported")


def recipe(fits: list[int]) -> Recipe:
    """Of a class that no other process can import, so that it is fitted here; ``fits`` counts the rows of each."""

    class Local(Recipe):
        name: str = "mean"
        settings: float = 1.0

        def fit(self, rows: pl.DataFrame, context: FitContext) -> Mean:
            fits.append(rows.height)
            return Mean(float(context.labels.mean()))

    return Local()


def declared(fits: list[int], **other: Any) -> Model:
    source = Source(name="days", columns=[Time("at"), Category("place"), Number("x")], identity=["at"], event_time="at")
    values: dict[str, Any] = {
        "name": "counting",
        "task": Regression(label="number"),
        "metric": "absolute_error",
        "entity": "place",
        "event_time": "at",
        "go_live": LIVE,
        "sources": [source],
        "request": [Category("place"), Number("x")],
        "history": lambda days: days,
        "candidates": [recipe(fits)],
        "drift": DriftPolicy(window="2d"),
        "freshness": FreshnessPolicy(max_training_age="90d"),
        "log": PredictionLog(lateness="0s"),
    }
    return Model(**values | other)


def rows(delay: timedelta, first: int = 1) -> pl.DataFrame:
    """Noon of every day from the first of January, or a day before it, to the 14th, labelled by the day's number."""
    days = range(first, 15)
    at = [datetime(2023, 12, 31, 12, tzinfo=UTC) + day * DAY for day in days]
    columns = {REQUEST_ID: [str(day) for day in days], EVENT_TIME: at, "place": "here", "x": 1.0}
    frame = pl.DataFrame(columns | {LABEL: [float(day) for day in days], OBSERVED_AT: [each + delay for each in at]})
    return frame.with_columns(pl.col(EVENT_TIME, OBSERVED_AT).cast(pl.Datetime("us", "UTC")))
