"""Will the price of the coming half-hour in New South Wales be above its mean of the last 24 hours?"""

from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw

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
    PredictionLog,
    Regret,
    Source,
    Straight,
    Time,
    TorchMLP,
    TrainingWindow,
    feature_view,
    latest,
    mean,
)

MARKET_TIME = "10h"  # the market's clock is UTC+10 all year
SCALED = "of its range"  # the record was scaled to 0 to 1


def recorded_half_hours() -> Any:
    """All 45,264 published half-hours, 7 May 1996 to 5 December 1998 in market time, for the one region traded."""
    import polars as pl

    renamed = {"price_nsw": "price", "demand_nsw": "demand", "price_vic": "neighbour_price", "demand_vic": "neighbour_demand"}
    file = Path(__file__).parent / "data" / "electricity.csv.gz"
    return pl.read_csv(file, try_parse_dates=True).rename(renamed).with_columns(pl.lit("NSW").alias("region"))


half_hours = Source(
    name="half_hours",
    columns=[
        Time("period_start"),
        Category("region"),
        Number("price", between=(0, 1), description="price in New South Wales", unit=SCALED),
        Number("demand", between=(0, 1), description="demand in New South Wales", unit=SCALED),
        Number("neighbour_price", between=(0, 1), description="price in Victoria", unit=SCALED),
        Number("neighbour_demand", between=(0, 1), description="demand in Victoria", unit=SCALED),
        Number("transfer", between=(0, 1), description="scheduled transfer between the two states", unit=SCALED),
    ],
    identity=["region", "period_start"],
    event_time="period_start",
    known_after="30m",  # a half-hour is published when it has ended
    recorded=recorded_half_hours,
)


@feature_view(
    key="region",
    known_at="period_end",
    ttl="1d",
    features=latest("price", "demand", "neighbour_price", "neighbour_demand", "transfer"),
)
def market_now(half_hours: Any) -> Any:
    """The half-hour that has just ended."""
    return half_hours.with_columns(period_end=nw.col("period_start").dt.offset_by("30m"))


@feature_view(
    key="region",
    known_at="period_end",
    features={
        "price_24h": mean("price", over="24h"),
        "price_7d": mean("price", over="7d"),
        "demand_24h": mean("demand", over="24h"),
        "neighbour_price_24h": mean("neighbour_price", over="24h"),
    },
)
def market_means(half_hours: Any) -> Any:
    """Means over the half-hours that have ended."""
    return half_hours.with_columns(period_end=nw.col("period_start").dt.offset_by("30m"))


DEMAND_YESTERDAY = latest("demand_yesterday", description="demand of the same half-hour of the day before", unit=SCALED)


@feature_view(key="region", known_at="day_later", ttl="1d", features=DEMAND_YESTERDAY)
def market_yesterday(half_hours: Any) -> Any:
    """The same half-hour of the day before: taken a day after it began."""
    return half_hours.with_columns(day_later=nw.col("period_start").dt.offset_by("24h"), demand_yesterday=nw.col("demand"))


def labelled_half_hours(half_hours: Any) -> Any:
    """One row a half-hour: what a client would have asked when it began, and the answer known when it had ended."""
    day_before = nw.col("price").rolling_mean(48, min_samples=48).shift(1)
    in_market = nw.col("period_start").dt.offset_by(MARKET_TIME)
    return (
        half_hours.sort("period_start")
        .with_columns(
            event_time=nw.col("period_start"),
            half_hour=in_market.dt.hour() * 2 + in_market.dt.minute() // 30,
            weekday=in_market.dt.weekday() - 1,
            mean_before=day_before,
            observed_at=nw.col("period_start").dt.offset_by("30m"),
        )
        .filter(~nw.col("mean_before").is_null())
        .with_columns(up=(nw.col("price") > nw.col("mean_before")).cast(nw.Int64))
        .select("event_time", "region", "half_hour", "weekday", "up", "observed_at")
    )


electricity_price = Model(
    name="electricity_price",
    description=__doc__,
    owners=["team:pricing"],
    task=BinaryClassification(label="up"),
    entity="region",
    event_time="period_start",
    go_live="1996-09-04",
    sources=[half_hours],
    request=[
        Category("region", description="region of the market"),
        Integer(
            "half_hour", between=(0, 47), description="half-hour of the day in market time", unit="half-hours from midnight"
        ),
        Integer("weekday", between=(0, 6), description="day of the week in market time", unit="days from Monday"),
    ],
    views=[market_now, market_means, market_yesterday],
    history=labelled_half_hours,
    candidates=[GradientBoosting(trees=100, leaves=15), TorchMLP()],
    training=TrainingWindow(history="all", label_delay="30m"),
    log=PredictionLog(lateness="30m"),
    gate=Gate(slices=["weekday"]),
    # A week holds every weekday once, so windows of a week do not mistake the week's rhythm for drift. A retraining waits for
    # two weeks from the first day of the change: one to learn from and one to be judged on.
    drift=DriftPolicy(window="7d", min_rows=200, false_alarms_per_year=4, settle="14d"),
    freshness=FreshnessPolicy(max_training_age="90d"),  # a season
    rollout=Straight(),
    # What `everfit tune electricity_price --recorded --per-year 6` proposes, by the time before the go-live alone.
    retraining=Regret(cost="11 % of the metric for a month"),
    limits=Limits(cooldown="7d", retrains_per_month=4, stop_after_rejections=3, reopen_after="28d"),
)
