"""The electricity model with windows of a day and one quick candidate."""

from datetime import timedelta

import models.electricity_price as real
from everfit import GradientBoosting, OnDrift

electricity_price = real.electricity_price.model_copy(
    update={
        "candidates": [GradientBoosting(trees=20)],
        "retraining": OnDrift(),
        "drift": real.electricity_price.drift.model_copy(update={"window": timedelta(days=1), "min_rows": 40}),
    }
)
