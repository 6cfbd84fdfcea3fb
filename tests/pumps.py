"""A small model over readings of pumps, declared in as many ways as a test likes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import narwhals.stable.v2 as nw

from everfit import Category, Column, Integer, Model, Number, Source, Time
from everfit.declaration.views import Feature, FeatureView
from models.electricity_price import electricity_price

START = datetime(2020, 1, 1, tzinfo=UTC)
COLUMNS: Sequence[Column] = (
    Integer("number"),
    Category("pump"),
    Time("read_at"),
    Time("known_at"),
    Number("vibration", nullable=True),
    Number("temperature", nullable=True),
)


def as_read(readings: Any) -> Any:
    """The readings as they are."""
    return readings


def in_fahrenheit(readings: Any) -> Any:
    """The same columns, another temperature."""
    return readings.with_columns(temperature=nw.col("temperature") * 1.8 + 32)


def shouted(readings: Any) -> Any:
    """Keys that the source does not have."""
    return readings.with_columns(pump=nw.col("pump").str.to_uppercase())


def view_of(features: Mapping[str, Feature], shape: Any = as_read, *, name: str = "pump_now", key: str = "pump") -> FeatureView:
    """A view over the readings."""
    return FeatureView(name, "readings", key, "known_at", None, dict(features), None, shape)


def pumps(*views: FeatureView, name: str = "pumps", columns: Sequence[Column] = COLUMNS, **changes: Any) -> Model:
    """A model with these views; the request holds nothing but the pump."""
    source = Source(name="readings", columns=list(columns), identity=["number"], event_time="read_at")
    declared = {
        "name": name,
        "sources": [source],
        "views": list(views),
        "request": [Category("pump")],
        "entity": "pump",
        "history": lambda readings: readings,
        "go_live": START,
    }
    return electricity_price.model_copy(update=declared | changes)


def reading(number: int, pump: str, minute: int, vibration: float | None, temperature: float | None = 20.0) -> dict[str, Any]:
    """One reading, known as soon as it is read."""
    at = START + timedelta(minutes=minute)
    return {
        "number": number,
        "pump": pump,
        "read_at": at,
        "known_at": at,
        "vibration": vibration,
        "temperature": temperature,
    }
