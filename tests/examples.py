"""The declared models with their records, made small enough for a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl

from everfit import GradientBoosting, Model, OnDrift, TorchMLP
from everfit.replay.timeline import recorded
from models.electricity_price import electricity_price
from models.flight_delay import flight_delay


@dataclass(frozen=True, slots=True)
class Example:
    """A model, the rows on record of its sources, and which of their columns nobody could foresee."""

    model: Model
    recorded: Mapping[str, pl.DataFrame]
    unforeseen: Mapping[str, Sequence[str]]


@cache
def electricity() -> Example:
    """The electricity market to the end of October 1996, with quick candidates, which are retrained for drift."""
    quick = [GradientBoosting(trees=20), TorchMLP(epochs=2)]
    model = electricity_price.model_copy(update={"candidates": quick, "retraining": OnDrift()})
    values = ["price", "demand", "neighbour_price", "neighbour_demand", "transfer"]
    rows = recorded(model.source("half_hours")).filter(pl.col("period_start") < datetime(1996, 11, 1, tzinfo=UTC))
    return Example(model, {"half_hours": rows}, {"half_hours": values})


@cache
def flights() -> Example:
    """Flights from one airport in January and February, live after four weeks."""
    quick: dict[str, object] = {
        "candidates": [GradientBoosting(trees=20, leaves=8)],
        "go_live": datetime(2013, 1, 29, tzinfo=UTC),
    }
    small = {
        "drift": flight_delay.drift.model_copy(update={"min_rows": 1_000}),
        "gate": flight_delay.gate.model_copy(update={"backtest": timedelta(days=14), "folds": 2}),
    }
    model = flight_delay.model_copy(update=quick | small)
    until, here = datetime(2013, 3, 1, tzinfo=UTC), pl.col("origin") == "JFK"
    landed = recorded(model.source("flights")).filter(here, pl.col("known_at") < until)
    weather = recorded(model.source("weather")).filter(here, pl.col("hour") < until)
    unforeseen = {"flights": ["fate", "minutes_late"], "weather": ["temp", "dewp", "wind_speed", "visib"]}
    return Example(model, {"flights": landed, "weather": weather}, unforeseen)


EXAMPLES = [electricity, flights]
