"""Models ``m00`` to ``m19``: their source is real, their history refuses its rows, so that a run ends at its second step.

``slow`` never ends, and somebody is to be told of it after a minute.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl

from everfit import BinaryClassification, Category, FreshnessPolicy, GradientBoosting, Integer, Limits, Model, Source, Time


def two_days() -> pl.DataFrame:
    """One row an hour of the two days before the go-live."""
    hours = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(48)]
    return pl.DataFrame({"at": hours, "place": ["here"] * 48, "late": [hour % 2 for hour in range(48)]})


TICKS = Source(
    name="ticks",
    columns=[Time("at"), Category("place"), Integer("late", between=(0, 1))],
    identity=["place", "at"],
    event_time="at",
    recorded=two_days,
)


def refused(ticks: nw.DataFrame[Any]) -> Any:
    """What a person got wrong in a declaration."""
    raise ValueError(f"{len(ticks)} ticks hold no label")


def endless(ticks: nw.DataFrame[Any]) -> Any:
    """What somebody has to stop."""
    Event().wait()


def declared(name: str, history: Callable[..., Any] = refused, **freshness: str) -> Model:
    """A model that differs from the others by its name."""
    return Model(
        name=name,
        task=BinaryClassification(label="late"),
        entity="place",
        event_time="at",
        go_live="2024-01-03",
        sources=[TICKS],
        request=[Category("place")],
        history=history,
        candidates=[GradientBoosting(trees=2)],
        freshness=FreshnessPolicy(max_training_age="30d", **freshness),
        limits=Limits(attempts=3, retry_after="1s"),
    )


for _number in range(20):
    globals()[f"m{_number:02}"] = declared(f"m{_number:02}")
slow = declared("slow", endless, alert_after="1m")
