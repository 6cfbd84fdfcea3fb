"""What a version's own backtest promises: its loss by the model's metric, as a whole and window by window."""

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from everfit.declaration import Model
from everfit.declaration.metrics import FunctionMetric, Metric, OwnLoss
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, LABEL, renewed
from everfit.errors import MetricError
from everfit.evidence.performance import Expectation
from everfit.features.fingerprint import function_version
from everfit.pipeline.manifests import Version
from everfit.store.lake import Lake

if TYPE_CHECKING:
    import polars as pl


def metric_key(metric: Metric) -> str:
    """Text that changes with the metric, its parameters, and the code of a function of the user's; empty for a task's loss."""
    if isinstance(metric, OwnLoss):
        return ""
    code = function_version(metric.function)[:12] if isinstance(metric, FunctionMetric) else ""
    return f"{type(metric).__name__}{metric.model_dump(exclude={'function'})}{code}"


def window_losses(model: Model, tested: "pl.DataFrame") -> list[float]:
    """The metric's loss on each whole window of the backtest, counted from its first day; without those that have none."""
    import polars as pl

    if tested.is_empty():
        return []
    first, last = tested[EVENT_TIME].dt.truncate("1d").min(), tested[EVENT_TIME].dt.offset_by("1d").dt.truncate("1d").max()
    spans = pl.select(pl.datetime_range(pl.lit(first), pl.lit(last), model.drift.window, closed="both"))
    bounds = spans.to_series().to_list()
    parts = [tested.filter(pl.col(EVENT_TIME).is_between(start, end, closed="left")) for start, end in pairwise(bounds)]
    losses = [model.metric.loss(part[LABEL].to_numpy(), part[CANDIDATE].to_numpy()) for part in parts if part.height]
    return [loss for loss in losses if not math.isnan(loss)]


def expectation(lake: Lake, model: Model, version: Version) -> Expectation:
    """What a version promised; computed anew from its backtest where another metric was declared when it was promoted.

    Raises:
        MetricError: when a function of the user's fails on its rows, or the metric has no value on them.
    """
    evaluation = version.evaluation
    if evaluation.metric == metric_key(model.metric):
        own = next((each for each in evaluation.compared if each.name == version.candidate.name), None)
        return Expectation(version.expected_loss, own.window_losses if own else [])
    tested = renewed(lake.get_frame(version.candidate.backtest), model.label)
    loss = math.nan if tested.is_empty() else model.metric.loss(tested[LABEL].to_numpy(), tested[CANDIDATE].to_numpy())
    if not math.isfinite(loss):
        raise MetricError(f"{model.metric.title} has no value on the {tested.height} rows of the champion's own backtest")
    return Expectation(loss, window_losses(model, tested))
