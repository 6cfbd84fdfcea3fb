"""The electricity model gone live after eight weeks, with one small candidate; a run makes at most 20 days."""

from datetime import UTC, datetime

import models.electricity_price as real
from everfit import BackfillPolicy, GradientBoosting

electricity_price = real.electricity_price.model_copy(
    update={
        "go_live": datetime(1996, 7, 2, tzinfo=UTC),
        "candidates": [GradientBoosting(trees=20)],
        "backfill": BackfillPolicy(days_per_run=20),
    }
)
