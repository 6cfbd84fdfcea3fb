"""The kind of weather of an hour; training data may be ten days old."""

import models.traffic_weather as real
from everfit import FreshnessPolicy, Gate

traffic_weather = real.traffic_weather.model_copy(
    update={
        "gate": Gate(backtest="14d", folds=2, min_unseen_days=1, margin=10, slice_margin=10),
        "freshness": FreshnessPolicy(max_training_age="10d"),
    }
)
