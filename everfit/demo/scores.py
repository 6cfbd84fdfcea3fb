"""The three lines on the same requests: what the champions answered, what version 1 answered, what the timer would have."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.demo.baseline import timer_scores
from everfit.demo.result import Losses, Timer, Week
from everfit.errors import EmptyPartitionError
from everfit.evaluation.metrics import log_losses
from everfit.store import frames
from everfit.store.tables import predictions
from everfit.workflow.days import ALWAYS

if TYPE_CHECKING:
    import polars as pl

LINES = ("static", "timer", "continuous")


def answers(connection: sa.Connection, model: Model, span: tuple[datetime, datetime], first: int) -> "pl.DataFrame":
    """The requests of a span in event order, one row each.

    Returns:
        request_id, event_time, version (the champion that answered), each feature, the label and observed_at (null where no
        outcome came), ``continuous`` (the champion's score) and ``static`` (the score of version ``first``, or null).
    """
    import polars as pl

    logged = frames.logged(connection, model, span, known_at=ALWAYS, late=True).unique("request_id", maintain_order=True)
    table = predictions.c
    query = sa.select(table.request_id, table.score).where(table.model == model.name, table.version == first)
    within = (table.event_time >= span[0], table.event_time < span[1])
    rows = [tuple(row) for row in connection.execute(query.where(*within))]
    static = pl.DataFrame(rows, schema={"request_id": pl.String(), "static": pl.Float64()}, orient="row")
    joined = logged.join(static, on="request_id", how="left", maintain_order="left")
    return joined.rename({"outcome": model.label, "score": "continuous"})


def losses(model: Model, plan: Timer, first: "pl.DataFrame", answered: "pl.DataFrame") -> "pl.DataFrame":
    """Log loss of each line on each request that all three can be scored on.

    Args:
        model: the declaration.
        plan: of the timer.
        first: the rows that version 1 was trained on.
        answered: of :func:`answers`.

    Returns:
        event_time, version, and the losses ``static``, ``timer`` and ``continuous``.

    Raises:
        EmptyPartitionError: when there is no such request.
    """
    import polars as pl

    scored = answered.join(timer_scores(model, plan, first, answered), on="request_id", maintain_order="left")
    scored = scored.filter(pl.all_horizontal(pl.col(model.label, *LINES).is_not_null()))
    if scored.is_empty():
        raise EmptyPartitionError(f"{model.name}: no request has an outcome and both answers: did version 1 run as shadow?")
    labels = scored[model.label].to_numpy()
    found = [pl.Series(line, log_losses(labels, scored[line].to_numpy())) for line in LINES]
    return scored.select("event_time", "version").with_columns(found)


def mean_losses(frame: "pl.DataFrame") -> Losses:
    """Mean of each line; the frame is not empty."""
    return Losses(**{line: float(frame[line].mean()) for line in LINES})  # type: ignore[arg-type]


def weekly(frame: "pl.DataFrame", windows: Sequence[tuple[datetime, datetime]]) -> list[Week]:
    """The mean losses of each window that holds requests, in order."""
    import polars as pl

    weeks = []
    for start, end in windows:
        rows = frame.filter(pl.col("event_time").is_between(start, end, closed="left"))
        if rows.height:
            weeks.append(Week(start, end, rows.height, mean_losses(rows)))
    return weeks
