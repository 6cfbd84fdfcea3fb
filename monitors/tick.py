"""One pass over the log: consume, close windows, judge, decide, write.

A pass is a long poll with a deadline. One that read nothing returns at once; one that read lingers for more; one that asked for
a retraining returns, so that whoever called launches it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.window_grid import Span
from everfit.store import closed_windows, declarations, log
from everfit.store.database import reachable
from everfit.store.failures import Part
from everfit.store.isolation import Isolation
from everfit.store.judgements import Judgement
from everfit.store.lake import Lake
from everfit.store.log import LogWriter, Written
from everfit.timing import format_time
from monitors import memory
from monitors.double_buffer import Pipeline
from monitors.judgement import Judged, judge_window
from monitors.log_reader import LogReader

BUDGET_SECONDS = 45.0  # below the 60 s after which Dagster gives a sensor call up
LINGER_SECONDS = 2.0
GATHER_SECONDS = 0.1  # under a trickle, so that it is not a transaction a record
GATHER_RECORDS = 500
QUIET_POLLS = 2  # in a row, with all read: an outcome sent before the request that closes a window has arrived by then
BATCHES_UNTIL_CLOSE = 50  # under steady traffic no poll is empty: close after this many, once all that is known is read


@dataclass(slots=True)
class Seen:
    """What one pass did, for whoever shows it."""

    predictions: dict[str, int] = field(default_factory=dict)  # rows read, by model
    outcomes: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)  # of the predictions that were new
    dead_letters: int = 0
    judgements: list[Judgement] = field(default_factory=list)
    requested: bool = False
    lag: int = field(default=0, compare=False)  # records known to be on the log and not read when it ended
    seconds: float = field(default=0.0, compare=False)  # from the first record read to the last

    @property
    def records(self) -> int:
        """How many were read, of all kinds."""
        return sum(self.predictions.values()) + sum(self.outcomes.values()) + self.dead_letters

    def count(self, written: Written) -> None:
        """Add what became of a batch."""
        for arrived in written.arrived:
            self.predictions[arrived.model] = self.predictions.get(arrived.model, 0) + arrived.rows
        for model, rows in written.outcomes.items():
            self.outcomes[model] = self.outcomes.get(model, 0) + rows
        for stored in written.stored:
            if stored.late:
                self.late[stored.model] = self.late.get(stored.model, 0) + stored.late
        self.dead_letters += written.dead


def watch(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    *,
    budget_seconds: float = BUDGET_SECONDS,
    linger_seconds: float = LINGER_SECONDS,
) -> Seen:
    """Read what is new, and judge and decide on every window that it closes; nothing where `everfit ingest` is at work.

    Raises:
        ServiceError: when Kafka or Postgres does not answer; what was not committed is read again.
    """
    seen = Seen()
    _pass(engine, lake, bootstrap, models, seen, time.monotonic() + budget_seconds, linger_seconds)
    memory.forget(seen.records)
    return seen


def _pass(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    seen: Seen,
    deadline: float,
    linger_seconds: float,
) -> None:
    """One client's life."""
    with reachable(engine), engine.connect() as connection:
        if log.is_ingested(connection):
            return
    with reachable(engine), LogReader(bootstrap, models) as reader, Pipeline(LogWriter(engine), seen.count) as pipeline:
        reader.open(engine)
        until, batches, closed_at, quiet, began = time.monotonic(), 0, 0, 0, 0.0
        while time.monotonic() < deadline:
            batch = reader.poll()
            if not (pipeline.submit(batch) if batch else pipeline.await_batch()):
                reader.reposition()
                continue
            quiet = quiet + 1 if not batch and reader.caught_up() else 0
            if quiet == 1 and not batches and not _is_any_due(engine, models):
                break
            if batch:
                began = began or time.monotonic()
                seen.seconds = time.monotonic() - began
                until, batches = time.monotonic() + linger_seconds, batches + 1
                if batch.records < GATHER_RECORDS:
                    time.sleep(GATHER_SECONDS)
            if quiet == QUIET_POLLS or (batches - closed_at >= BATCHES_UNTIL_CLOSE and reader.caught_up()):
                closed_at = batches
                pipeline.await_batch()
                close_windows(engine, lake, models, seen, deadline)
            if seen.requested or (quiet >= QUIET_POLLS and time.monotonic() >= until):
                break
        pipeline.await_batch()
        seen.lag = reader.lag()


def _is_any_due(engine: sa.Engine, models: Mapping[str, Model]) -> bool:
    with engine.connect() as connection:
        return bool(closed_windows.due(connection, models.values()))


def close_windows(engine: sa.Engine, lake: Lake, models: Mapping[str, Model], seen: Seen, deadline: float) -> None:
    """Close every window whose end the model's clock has passed, oldest first, each in a transaction of its own.

    What the deadline or a request for a retraining leaves over is closed by the next pass. Several may do this at a time: each
    window is closed by one of them, and no row slips in between. A window that cannot be judged holds up its own model alone,
    and that until ``limits.attempts`` are used up: then it closes, and says what could not be judged. Of a model that is
    refused as it is declared now none closes.
    """
    with engine.begin() as connection:
        refusals = declarations.refusals(connection, models.values())
        due = closed_windows.due(connection, [model for name, model in models.items() if name not in refusals])
    for name in due:
        while time.monotonic() < deadline and not seen.requested:
            judged = _close_next(engine, lake, models[name])
            if judged is None:
                break
            seen.judgements += judged.judgements
            seen.requested |= judged.requested


def _close_next(engine: sa.Engine, lake: Lake, model: Model) -> Judged | None:
    """Close the oldest window that is due; None where none is, or where it failed and waits to be tried again."""
    with engine.connect() as connection:
        span = closed_windows.due(connection, [model]).get(model.name)
    if span is None:
        return None
    isolation, part = Isolation(engine), Part(model.name, "window", format_time(span[0]))
    before = isolation.failure(part)
    is_last = (before.attempts if before else 0) + 1 >= model.limits.attempts
    return isolation.attempt(part, partial(_close, engine, lake, model, span, is_last), retry_after=model.limits.retry_after)


def _close(engine: sa.Engine, lake: Lake, model: Model, span: Span, is_last: bool) -> Judged:
    with engine.begin() as connection:
        log.lock_windows(connection, model.name)
        if closed_windows.due(connection, [model]).get(model.name) != span:
            return Judged()  # somebody else has closed it since
        return judge_window(connection, lake, model, span, is_last=is_last)
