"""Scores of the same requests by the champions, by version 1 and by timers, and their losses."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.metrics import OwnLoss, RowMetric
from everfit.declaration.reserved_columns import (
    CONTINUOUS,
    EVENT_TIME,
    LABEL,
    REQUEST_ID,
    SCORE,
    SCORES,
    STATIC,
    TIMER,
    VERSION,
)
from everfit.demo.baseline import timer_scores
from everfit.demo.result import Losses, Timer, Week
from everfit.errors import EmptyPartitionError
from everfit.pipeline.daily_partitions import ALWAYS
from everfit.store import frames
from everfit.store.tables import predictions

if TYPE_CHECKING:
    import polars as pl

LINES = ("static", "timer", "continuous")
_SCORES = {"static": STATIC, "continuous": CONTINUOUS}


def answers(connection: sa.Connection, model: Model, span: tuple[datetime, datetime], first: int) -> "pl.DataFrame":
    """The requests of a span in event order, one row each.

    Returns:
        REQUEST_ID, EVENT_TIME, VERSION (the champion that answered), each feature, LABEL and OBSERVED_AT (null where no
        outcome came), CONTINUOUS (the champion's score) and STATIC (the score of version ``first``, or null).
    """
    import polars as pl

    logged = frames.logged(connection, model, span, known_at=ALWAYS, late=True).unique(REQUEST_ID, maintain_order=True)
    table = predictions.c
    columns = (table.request_id, table.score, sa.cast(table.scores, sa.Text))
    query = sa.select(*columns).where(table.model == model.name, table.version == first)
    within = (table.event_time >= span[0], table.event_time < span[1])
    rows = [tuple(row) for row in connection.execute(query.where(*within))]
    logged_as = {REQUEST_ID: pl.String(), SCORE: pl.Float64(), SCORES: pl.String()}
    static = frames.with_answers(model.task, pl.DataFrame(rows, schema=logged_as, orient="row")).rename({SCORE: STATIC})
    joined = logged.join(static, on=REQUEST_ID, how="left", maintain_order="left")
    return joined.rename({SCORE: CONTINUOUS})


def metric_of(model: Model) -> RowMetric:
    """The model's metric, or its task's loss where the metric has no loss a row."""
    return model.metric if isinstance(model.metric, RowMetric) else OwnLoss.of(model.task)


def losses(model: Model, plan: Timer, first: "pl.DataFrame", answered: "pl.DataFrame") -> "pl.DataFrame":
    """The loss of each line on each request that all three can be scored on; the timers' is the mean of theirs.

    Args:
        model: the declaration.
        plan: of the timers.
        first: the rows that version 1 was trained on.
        answered: of :func:`answers`.

    Returns:
        EVENT_TIME, VERSION, and the losses ``static``, ``timer`` and ``continuous``.

    Raises:
        EmptyPartitionError: when there is no such request.
    """
    import numpy as np
    import polars as pl

    scored = answered.filter(pl.all_horizontal(pl.col(LABEL, STATIC, CONTINUOUS).is_not_null()))
    if scored.is_empty():
        raise EmptyPartitionError(f"{model.name}: no request has an outcome and both answers: did version 1 run as shadow?")
    labels, of_rows = scored[LABEL].to_numpy(), metric_of(model).losses
    timers = [
        of_rows(labels, scored.join(answers, on=REQUEST_ID, how="left", maintain_order="left")[TIMER].to_numpy())
        for answers in timer_scores(model, plan, first, answered)
    ]
    own = [pl.Series(line, of_rows(labels, scored[score].to_numpy())) for line, score in _SCORES.items()]
    return scored.select(EVENT_TIME, VERSION).with_columns(*own, timer=np.mean(timers, axis=0))


def mean_losses(frame: "pl.DataFrame") -> Losses:
    """Mean of each line; the frame is not empty."""
    return Losses(**{line: float(frame[line].mean()) for line in LINES})  # type: ignore[arg-type]


def weekly(frame: "pl.DataFrame", windows: Sequence[tuple[datetime, datetime]]) -> list[Week]:
    """The mean losses of each window that holds requests, in order."""
    import polars as pl

    weeks = []
    for start, end in windows:
        rows = frame.filter(pl.col(EVENT_TIME).is_between(start, end, closed="left"))
        if rows.height:
            weeks.append(Week(start, end, rows.height, mean_losses(rows)))
    return weeks
