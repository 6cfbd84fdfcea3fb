"""Signs that the loop makes progress: rows read, requests changed, events in the logs of their runs, and its heartbeat."""

import contextlib

import sqlalchemy as sa

from everfit.dagster_api.client import GraphQL
from everfit.environment.variables import setting
from everfit.errors import ServiceError
from everfit.runtime import Runtime
from everfit.store.database import reachable
from everfit.waiting import PATIENCE, STALL_SECONDS, Patience, Pulse, Watching

TIMEOUT_SECONDS = 5.0
_SIGNS = sa.text("""
    SELECT (SELECT sum(next_offset) FROM consumer_offsets),
           (SELECT max(updated_at) FROM retrain_requests),
           (SELECT max(at) FROM heartbeats),
           (SELECT array_agg(run_id ORDER BY run_id) FROM retrain_requests WHERE status = 'launched' AND run_id IS NOT NULL)
""")
_LOG = """
query ($run: ID!, $after: String) {
  logsForRun(runId: $run, afterCursor: $after, limit: 1000) { ... on EventConnection { cursor } }
}
"""


def watching_loop(runtime: Runtime, floor_seconds: float = STALL_SECONDS) -> Watching:
    """How long to wait for a deployment's loop: ``EVERFIT_PATIENCE``, or ten times the slowest step so far."""
    progress = LoopProgress(runtime.engine, runtime.settings.dagster)
    return Watching(Patience.declared(setting(PATIENCE), floor_seconds), progress)


class LoopProgress:
    """The progress of a deployment's loop. The runs' logs are Dagster's at ``webserver``, and left out while it is away."""

    def __init__(self, engine: sa.Engine, webserver: str) -> None:
        self._engine = engine
        self._webserver = webserver
        self._cursors: dict[str, str | None] = {}

    def __call__(self) -> Pulse:
        """The present signs.

        Raises:
            ServiceError: when Postgres does not answer.
        """
        with reachable(self._engine), self._engine.connect() as connection:
            offsets, requests, beat, runs = connection.execute(_SIGNS).one()
        self._follow(runs or [])
        return Pulse((offsets, requests, tuple(self._cursors.items())), beat)

    def _follow(self, runs: list[str]) -> None:
        """Read the new events in the logs of the runs under way."""
        self._cursors = {run: self._cursors.get(run) for run in runs}
        if not runs:
            return
        with contextlib.suppress(ServiceError), GraphQL(self._webserver, TIMEOUT_SECONDS) as dagster:
            for run in runs:
                log = dagster.execute(_LOG, run=run, after=self._cursors[run])["logsForRun"]
                self._cursors[run] = log.get("cursor") or self._cursors[run]
