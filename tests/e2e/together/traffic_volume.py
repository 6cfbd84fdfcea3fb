"""The vehicles of an hour, a day ahead, with one quick candidate; training data may be ten days old."""

import models.traffic_volume as real
from everfit import FreshnessPolicy, Gate, GradientBoosting

ANY = 10_000  # of vehicles an hour

traffic_volume = real.traffic_volume.model_copy(
    update={
        "candidates": [GradientBoosting(trees=20)],
        "gate": Gate(backtest="14d", folds=2, min_unseen_days=1, margin=ANY, slice_margin=ANY),
        "freshness": FreshnessPolicy(max_training_age="10d"),
    }
)
