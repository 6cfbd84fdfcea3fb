"""Will a pump stop within the hour? Six drawn pumps; how the model is broken is said by the environment."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import narwhals.stable.v2 as nw

from everfit import (
    BinaryClassification,
    Category,
    DriftPolicy,
    FreshnessPolicy,
    GradientBoosting,
    Integer,
    Model,
    Number,
    Source,
    Time,
    TrainingWindow,
    feature_view,
    latest,
)

BROKEN = os.environ.get("EVERFIT_E2E_PUMPS", "")  # "import": the module; "window": another length of windows
START, GO_LIVE = datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 2, 17, tzinfo=UTC)
DAYS = 60

if BROKEN == "import":
    raise RuntimeError("the pumps' module is broken")


def recorded_readings() -> Any:
    """Hourly readings of six pumps; one that vibrates more stops more often."""
    import numpy as np
    import polars as pl

    hours, pumps = DAYS * 24, 6
    draw = np.random.default_rng(1)
    vibration = draw.normal(2, 1, hours * pumps).round(3)
    return pl.DataFrame(
        {
            "hour": [START + timedelta(hours=n // pumps) for n in range(hours * pumps)],
            "pump": [f"p{n % pumps}" for n in range(hours * pumps)],
            "vibration": vibration,
            "stopped": (draw.random(hours * pumps) < np.clip((vibration - 1.5) / 2, 0.02, 0.9)).astype(int),
        }
    )


readings = Source(
    name="readings",
    columns=[Time("hour"), Category("pump"), Number("vibration"), Integer("stopped", between=(0, 1))],
    identity=["hour", "pump"],
    event_time="hour",
    recorded=recorded_readings,
)


@feature_view(key="pump", known_at="hour", ttl="6h", features=latest("vibration"))
def pump_now(readings: Any) -> Any:
    """The newest reading."""
    return readings


def hours_asked(readings: Any) -> Any:
    """A request an hour and pump; what came true is known an hour later."""
    return readings.with_columns(
        event_time=nw.col("hour"), load=nw.col("vibration") / 10, observed_at=nw.col("hour").dt.offset_by("1h")
    )


pump_stop = Model(
    name="pump_stop",
    task=BinaryClassification(label="stopped"),
    entity="pump",
    event_time="hour",
    go_live=GO_LIVE,
    sources=[readings],
    request=[Category("pump"), Number("load")],
    views=[pump_now],
    history=hours_asked,
    candidates=[GradientBoosting(trees=20)],
    training=TrainingWindow(label_delay="1h"),
    drift=DriftPolicy(window="2d" if BROKEN == "window" else "1d", min_rows=40),
    freshness=FreshnessPolicy(max_training_age="365d"),
)
