"""The flights from one airport, live from 29 January 2013, with windows of a day; training data may be two days old."""

from datetime import UTC, datetime, timedelta
from typing import Any

import models.flight_delay as real
from everfit import FreshnessPolicy, Gate, GradientBoosting, Source

DAY = timedelta(days=1)


def _from_jfk(source: Source) -> Source:
    """The source with what concerns one airport on record."""

    def recorded() -> Any:
        import polars as pl

        assert source.recorded
        return source.recorded().filter(pl.col("origin") == "JFK")

    return source.model_copy(update={"recorded": recorded})


flight_delay = real.flight_delay.model_copy(
    update={
        "go_live": datetime(2013, 1, 29, tzinfo=UTC),
        "sources": [_from_jfk(source) for source in real.flight_delay.sources],
        "candidates": [GradientBoosting(trees=20, leaves=8)],
        "drift": real.flight_delay.drift.model_copy(update={"window": DAY, "min_rows": 200}),
        "gate": Gate(backtest="14d", folds=2, min_unseen_days=1, margin=1, slice_margin=10),
        "freshness": FreshnessPolicy(max_training_age="2d"),
    }
)
