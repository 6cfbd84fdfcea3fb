"""What is wrong with the models, as the store shows it: one look at all of them together."""

from collections.abc import Mapping
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from everfit.declaration import Model
from everfit.policy import PastRequest, tripped
from everfit.store import failures
from everfit.store.tables import quarantines, retrain_requests
from everfit.timing import format_time
from monitors.alerts import Watched

Causes = dict[tuple[str, str], str]


def look(connection: sa.Connection, models: Mapping[str, Model]) -> Watched:
    """Failed requests, tripped breakers, quarantines, and what is set aside."""
    holding = _failed(connection) | _breakers(connection, models) | _quarantines(connection) | _stuck(connection)
    return Watched({"request", "breaker", "quarantine", "stuck"}, holding, {})


def _failed(connection: sa.Connection) -> Causes:
    """Each model's newest ended request, where it failed."""
    columns = retrain_requests.c
    query = sa.select(columns.model, columns.id, columns.status, columns.cause, columns.result)
    ended = query.where(columns.status.in_(["failed", "promoted", "rejected"])).ext(distinct_on(columns.model))
    rows = connection.execute(ended.order_by(columns.model, columns.updated_at.desc()))
    return {
        (row.model, f"request:{row.id}"): f"retraining for {row.cause} failed: {row.result}"
        for row in rows
        if row.status == "failed"
    }


def _breakers(connection: sa.Connection, models: Mapping[str, Model]) -> Causes:
    """Models whose candidates were rejected so often in a row that nothing more is asked."""
    columns = retrain_requests.c
    query = sa.select(columns.model, columns.cause, columns.status, columns.requested_at)
    rows = connection.execute(query.order_by(columns.model, columns.requested_at)).all()
    found: Causes = {}
    for name, group in groupby(rows, key=lambda row: str(row.model)):
        past = [PastRequest(row.cause, row.status, row.requested_at) for row in group]
        if name in models and tripped(models[name].limits, past):
            told = (
                f"{models[name].limits.stop_after_rejections} candidates in a row were rejected, nothing is asked for a change"
            )
            found[name, "breaker"] = f"{told}; `everfit history {name}` says why"
    return found


def _quarantines(connection: sa.Connection) -> Causes:
    """Windows that nobody has released."""
    columns = quarantines.c
    rows = connection.execute(sa.select(columns.model, columns.start, columns.reason).where(columns.released_at.is_(None)))
    return {
        (
            row.model,
            f"quarantine:{row.start:%Y-%m-%dT%H:%M}",
        ): f"the window from {row.start:%Y-%m-%d %H:%M} is quarantined: {row.reason}"
        for row in rows
    }


def _stuck(connection: sa.Connection) -> Causes:
    """What fails and is tried again, while the rest goes on."""
    return {
        (failure.part.model, f"stuck:{failure.part}"): f"{failure.part} fails, {failure.attempts} attempts since "
        f"{format_time(failure.first_at)}: {failure.error}; all else goes on, `everfit status` says when it is tried again"
        for failure in failures.listed(connection)
    }
