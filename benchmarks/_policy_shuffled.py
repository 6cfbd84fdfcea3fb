"""Days in an order without meaning: nothing ages there, and what a policy retrains for is chance, or more to learn from."""

from datetime import timedelta

import numpy as np
import polars as pl

from benchmarks._policy_records import RECORDS
from everfit.declaration.model import RetrainingPolicy
from everfit.declaration.reserved_columns import EVENT_TIME, OBSERVED_AT
from everfit.pipeline.loss_matrix import loss_matrix
from everfit.policy.play import play
from everfit.replay.recorded_rows import recorded_rows
from everfit.store.fit_cache import FitCache

YEAR = timedelta(days=364)


def retrainings_a_year(policy: RetrainingPolicy, seed: int, cache: FitCache | None) -> float:
    """How often the policy retrains the electricity model in a year of shuffled days."""
    model = RECORDS["electricity"].declared()
    rows = shuffled(recorded_rows(model), seed)
    losses = loss_matrix(model, model.candidates[0], rows, (model.go_live, model.go_live + YEAR), cache=cache)
    played = play(model.model_copy(update={"retraining": policy}), losses)
    return len(played.promotions) / (YEAR / timedelta(days=365))


def shuffled(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The rows with their days in another order, drawn with a seed; what belongs to a day stays together."""
    day = pl.col(EVENT_TIME).dt.truncate("1d")
    days = rows.select(day.unique().sort().alias("_day"))
    moved = days.with_columns(_moved=np.random.default_rng(seed).permutation(days["_day"].to_numpy()))
    moved = moved.with_columns(_by=pl.col("_moved").cast(days["_day"].dtype) - pl.col("_day")).select("_day", "_by")
    joined = rows.with_columns(_day=day).join(moved, on="_day", how="left", maintain_order="left")
    times = [(pl.col(name) + pl.col("_by")).alias(name) for name in (EVENT_TIME, OBSERVED_AT)]
    return joined.with_columns(times).drop("_day", "_by").sort(EVENT_TIME, maintain_order=True)
