"""Retention of the prediction log: removes old rows, except those that open windows, training and backtests still need."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.store import closed_windows, model_clocks, month_partitions
from everfit.store.tables import dead_letters, outcomes
from everfit.timing import format_time, wall_clock


@dataclass(slots=True)
class Pruned:
    """What was removed, and why the rest was kept. ``until`` is the event time before which no predictions remain."""

    partitions: list[str] = field(default_factory=list)
    until: datetime | None = None
    outcomes: int = 0
    dead_letters: int = 0
    kept: list[str] = field(default_factory=list)


def prune(engine: sa.Engine, models: Collection[Model], age: timedelta, *, dry_run: bool = False) -> Pruned:
    """Drop the monthly partitions of predictions older than ``age`` by every model's clock, the outcomes before the remaining
    predictions, and the dead letters that were read longer ago.

    With ``dry_run`` everything is rolled back.
    """
    pruned = Pruned()
    with engine.begin() as connection:
        limits = [limit for model in models for limit in _limits(connection, model, age, pruned)]
        for name, _, end in month_partitions.made(connection):
            if limits and end <= min(limits):
                month_partitions.drop(connection, name)
                pruned.partitions.append(name)
                pruned.until = end
        if pruned.until:
            gone = sa.delete(outcomes).where(outcomes.c.observed_at < pruned.until)
            pruned.outcomes = connection.execute(gone).rowcount
        old = sa.delete(dead_letters).where(dead_letters.c.read_at < wall_clock() - age)
        pruned.dead_letters = connection.execute(old).rowcount
        if dry_run:
            connection.rollback()
    return pruned


def _limits(connection: sa.Connection, model: Model, age: timedelta, pruned: Pruned) -> Iterator[datetime]:
    """The moments before which a model needs no rows; none where nothing of it was logged."""
    clock = model_clocks.read(connection, model)
    if clock is None:
        return
    yield clock - age
    yield closed_windows.closed_until(connection, model)
    history = model.training.history
    if history == "all":
        pruned.kept.append(
            f"{model.name} is trained on all of its history: nothing since {format_time(model.go_live)} is removed"
        )
        yield model.go_live
    else:
        yield clock - max(history, model.gate.backtest, model.drift.reference) - model.windows.length
