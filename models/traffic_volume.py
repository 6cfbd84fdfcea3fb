"""How many vehicles will pass on Interstate 94 in the hour that begins a day from now?"""

from typing import Any

import narwhals.stable.v2 as nw

from everfit import (
    Category,
    DriftPolicy,
    FreshnessPolicy,
    Gate,
    GradientBoosting,
    Integer,
    Limits,
    Model,
    PredictionLog,
    Regression,
    Straight,
    TrainingWindow,
    feature_view,
    mean,
)
from models.traffic_record import MINNESOTA, hours


@feature_view(
    key="road",
    known_at="ended_at",
    features={f"volume_{over}": mean("volume", over=over, resolution=1) for over in ("24h", "7d")},
)
def traffic_before(hours: Any) -> Any:
    """Means over the hours that have ended; those that are missing on record do not count."""
    return hours.with_columns(ended_at=nw.col("hour").dt.offset_by("1h"))


def hours_a_day_ahead(hours: Any) -> Any:
    """One row an hour: what a client would have asked a day before it, and the answer known when it had ended."""
    in_minnesota = nw.col("hour").dt.convert_time_zone(MINNESOTA)
    return hours.with_columns(
        event_time=nw.col("hour").dt.offset_by("-24h"),
        hour_of_day=in_minnesota.dt.hour(),
        weekday=in_minnesota.dt.weekday() - 1,
        observed_at=nw.col("hour").dt.offset_by("1h"),
    ).select("event_time", "road", "hour_of_day", "weekday", "holiday", "volume", "observed_at")


traffic_volume = Model(
    name="traffic_volume",
    description=__doc__,
    owners=["team:roads"],
    task=Regression(label="volume", between=(0, 10_000)),
    metric="absolute_error",
    entity="road",
    go_live="2013-04-01",  # half a year of hours
    sources=[hours],
    request=[
        Category("road", description="road and direction"),
        Integer("hour_of_day", between=(0, 23), description="hour asked for in Minnesota", unit="hours from midnight"),
        Integer("weekday", between=(0, 6), description="its day of the week in Minnesota", unit="days from Monday"),
        Category("holiday", description="name of its holiday, or none"),
    ],
    # The same hour a week before, and the weather of now, were tried: they gain nothing, are missing often, and drift.
    views=[traffic_before],
    history=hours_a_day_ahead,
    candidates=[GradientBoosting(trees=100, leaves=15)],
    training=TrainingWindow(history="all", label_delay="25h"),
    log=PredictionLog(lateness="1h"),
    # By four weeks a difference is known to about 10 vehicles either way: freshness may cost that much, 3 % of the error.
    gate=Gate(slices=["weekday"]),
    # Half a week's hours prove something; of some weeks half are missing.
    drift=DriftPolicy(window="7d", min_rows=84, false_alarms_per_year=4, settle="14d"),
    freshness=FreshnessPolicy(max_training_age="90d"),  # a season
    rollout=Straight(),
    limits=Limits(cooldown="7d", retrains_per_month=4, stop_after_rejections=3, reopen_after="28d"),
)
