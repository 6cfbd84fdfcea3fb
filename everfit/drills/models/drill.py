"""A small model for drills: fifteen inputs, all sent with the request, and a rule that a few trees learn quickly."""

from datetime import UTC, datetime, timedelta
from typing import Any

from everfit import (
    BinaryClassification,
    Category,
    DriftPolicy,
    FreshnessPolicy,
    Gate,
    GradientBoosting,
    Integer,
    Limits,
    Model,
    Number,
    Source,
    Time,
)

GO_LIVE = datetime(2020, 1, 1, tzinfo=UTC)
SITES = ("north", "east", "island", "west")  # keys of all three partitions
MEASURES = tuple(f"measure_{number:02}" for number in range(13))
DAYS_ON_RECORD = 60
ROWS_A_DAY = 48


def recorded_readings() -> Any:
    """Sixty days before the go-live, a row every half-hour, drawn from a fixed seed."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    rows = DAYS_ON_RECORD * ROWS_A_DAY
    taken_at = [GO_LIVE - timedelta(days=DAYS_ON_RECORD) + number * timedelta(minutes=30) for number in range(rows)]
    measures = {name: rng.random(rows).round(4) for name in MEASURES}
    failed = (measures["measure_00"] + rng.normal(0, 0.2, rows) > 0.5).astype(int)
    drawn = {"site": rng.choice(SITES, rows), "hour": rng.integers(0, 24, rows)}
    return pl.DataFrame({"taken_at": taken_at, **drawn, **measures, "failed": failed})


readings = Source(
    name="drill_readings",
    columns=[
        Time("taken_at"),
        Category("site"),
        Integer("hour"),
        *(Number(name) for name in MEASURES),
        Integer("failed", between=(0, 1)),
    ],
    identity=["site", "taken_at"],
    event_time="taken_at",
    recorded=recorded_readings,
)


def labelled_readings(drill_readings: Any) -> Any:
    """Every reading is a request; whether it failed is known half an hour later."""
    import narwhals.stable.v2 as nw

    moments = drill_readings.with_columns(event_time=nw.col("taken_at"), observed_at=nw.col("taken_at").dt.offset_by("30m"))
    return moments.select("event_time", "site", "hour", *MEASURES, "failed", "observed_at")


drill = Model(
    name="drill",
    description=__doc__,
    task=BinaryClassification(label="failed"),
    entity="site",
    event_time="taken_at",
    go_live=GO_LIVE,
    sources=[readings],
    request=[Category("site"), Integer("hour", between=(0, 23)), *(Number(name, between=(0, 1)) for name in MEASURES)],
    history=labelled_readings,
    candidates=[GradientBoosting(trees=5, leaves=7)],
    gate=Gate(folds=1, min_unseen_days=1),
    drift=DriftPolicy(window="1d"),
    freshness=FreshnessPolicy(max_training_age="3d"),
    limits=Limits(cooldown="1d", retrains_per_month=30, attempts=2, retry_after="1s"),
)
