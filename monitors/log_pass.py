"""One pass over the log: consume, close windows, judge, decide, look at rollouts, write.

A pass is a long poll with a deadline. One that read nothing returns at once; one that read lingers for more; one that requested
a retraining returns, so that its caller launches the run.
"""

import time
from collections.abc import Mapping

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.store import closed_windows, log
from everfit.store.database import reachable
from everfit.store.lake import Lake
from everfit.store.log import LogWriter
from monitors import day_checks, memory, rollout_steps
from monitors.double_buffer import Pipeline
from monitors.log_reader import LogReader
from monitors.pass_result import PassResult
from monitors.rollout_steps import move_rollouts
from monitors.window_closing import close_windows

BUDGET_SECONDS = 45.0  # below the 60 s after which Dagster gives a sensor call up
LINGER_SECONDS = 2.0
GATHER_SECONDS = 0.1  # under a trickle, so that it is not a transaction a record
GATHER_RECORDS = 500
QUIET_POLLS = 2  # in a row, with all read: an outcome sent before the request that closes a window has arrived by then
BATCHES_UNTIL_CLOSE = (
    50  # under steady traffic no poll is empty: close after this many, once all records that are known of are read
)


def run_pass(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    *,
    budget_seconds: float = BUDGET_SECONDS,
    linger_seconds: float = LINGER_SECONDS,
) -> PassResult:
    """Read what is new, and judge and decide on every window that it closes; nothing where `everfit ingest` is at work.

    Raises:
        ServiceError: when Kafka or Postgres does not answer; what was not committed is read again.
    """
    result = PassResult()
    _pass(engine, lake, bootstrap, models, result, time.monotonic() + budget_seconds, linger_seconds)
    memory.forget(result.records)
    return result


def _pass(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    result: PassResult,
    deadline: float,
    linger_seconds: float,
) -> None:
    """One client's life."""
    with reachable(engine), engine.connect() as connection:
        if log.is_ingested(connection):
            return
    with reachable(engine), LogReader(bootstrap, models) as reader, Pipeline(LogWriter(engine), result.count) as pipeline:
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
                result.seconds = time.monotonic() - began
                until, batches = time.monotonic() + linger_seconds, batches + 1
                if batch.records < GATHER_RECORDS:
                    time.sleep(GATHER_SECONDS)
            if quiet == QUIET_POLLS or (batches - closed_at >= BATCHES_UNTIL_CLOSE and reader.caught_up()):
                closed_at = batches
                pipeline.await_batch()
                close_windows(engine, lake, models, result, deadline)
                result.crowned += move_rollouts(engine, bootstrap, models, deadline)
            if result.requested or (quiet >= QUIET_POLLS and time.monotonic() >= until):
                break
        pipeline.await_batch()
        result.lag = reader.lag()


def _is_any_due(engine: sa.Engine, models: Mapping[str, Model]) -> bool:
    with engine.connect() as connection:
        found = closed_windows.due(connection, models.values()) or day_checks.due(connection, [*models.values()])
        return bool(found or rollout_steps.due(connection, models))
