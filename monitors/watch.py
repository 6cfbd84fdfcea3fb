"""One pass over the log: consume, close windows, judge, decide, write.

A pass is a long poll with a deadline. One that read nothing returns at once; one that read lingers for more; one that asked for
a retraining returns, so that whoever called launches it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.store import judgements, log
from everfit.store.database import reachable
from everfit.store.judgements import Judgement
from everfit.store.lake import Lake
from monitors.judge import judge_window
from monitors.reader import LogReader

BUDGET_SECONDS = 45.0  # below the 60 s after which Dagster gives a sensor call up
LINGER_SECONDS = 2.0
QUIET_POLLS = 2  # in a row, with all read: an outcome sent before the request that closes a window has arrived by then
BATCHES_UNTIL_CLOSE = 50  # under steady traffic no poll is empty: close what is due after this many


@dataclass(slots=True)
class Seen:
    """What one pass did, for whoever shows it."""

    predictions: dict[str, int] = field(default_factory=dict)  # rows read, by model
    outcomes: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    judgements: list[Judgement] = field(default_factory=list)
    requested: bool = False


def watch(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    *,
    budget_seconds: float = BUDGET_SECONDS,
    linger_seconds: float = LINGER_SECONDS,
) -> Seen:
    """Read what is new, and judge and decide on every window that it closes.

    Raises:
        ServiceError: when Kafka or Postgres does not answer; what was not committed is read again.
    """
    seen = Seen()
    deadline = time.monotonic() + budget_seconds
    with reachable(engine), LogReader(bootstrap, models) as reader:
        reader.open(engine)
        until, batches, quiet = time.monotonic(), 0, 0
        while time.monotonic() < deadline:
            batch = reader.poll()
            quiet = quiet + 1 if not batch and reader.caught_up() else 0
            if batch:
                if not log.write(engine, batch):
                    reader.open(engine)
                    continue
                _count(seen, batch)
                until, batches = time.monotonic() + linger_seconds, batches + 1
            if quiet == QUIET_POLLS or (batch and batches % BATCHES_UNTIL_CLOSE == 0):
                _close_windows(engine, lake, models, seen, deadline)
            if seen.requested or (quiet >= QUIET_POLLS and time.monotonic() >= until):
                break
    return seen


def _close_windows(engine: sa.Engine, lake: Lake, models: Mapping[str, Model], seen: Seen, deadline: float) -> None:
    """Close every window whose end the model's clock has passed, oldest first, each in a transaction of its own.

    What the deadline or a request for a retraining leaves over is closed by the next pass.
    """
    for model in models.values():
        while time.monotonic() < deadline and not seen.requested:
            with engine.begin() as connection:
                clock = judgements.clock(connection, model)
                span = model.window_of(judgements.closed_until(connection, model))
                if clock is None or clock < span[1]:
                    break
                judged = judge_window(connection, lake, model, span)
            seen.judgements += judged.judgements
            seen.requested |= judged.requested


def _count(seen: Seen, batch: log.Batch) -> None:
    for _, prediction in batch.predictions:
        seen.predictions[prediction.model] = seen.predictions.get(prediction.model, 0) + 1
    for outcome in batch.outcomes:
        seen.outcomes[outcome.model] = seen.outcomes.get(outcome.model, 0) + 1
    seen.dead_letters += len(batch.dead)
