"""The alert rules on the models: what is wrong with them by what is stored, checked for all models together."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from everfit.alerts.state import Findings
from everfit.declaration import Model
from everfit.declaration.retraining import PastRequest
from everfit.policy.limits import tripped
from everfit.store import failures
from everfit.store.decisions import failed_live
from everfit.store.quarantines import Quarantine, of_model
from everfit.store.tables import quarantines, retrain_requests
from everfit.timing import format_time

DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
Causes = dict[tuple[str, str], str]
MOST_REASONS = 5


def look(connection: sa.Connection, models: Mapping[str, Model]) -> Findings:
    """Failed requests, tripped breakers, quarantines, and what is set aside."""
    ongoing = _failed(connection) | _breakers(connection, models) | _quarantines(connection) | _stuck(connection)
    return Findings({"request", "breaker", "quarantine", "stuck"}, ongoing, {})


def _failed(connection: sa.Connection) -> Causes:
    """Each model's newest ended request, where it failed."""
    columns = retrain_requests.c
    query = sa.select(columns.model, columns.id, columns.status, columns.cause, columns.result)
    ended = query.where(columns.status.not_in(["pending", "launched"])).ext(distinct_on(columns.model))
    rows = connection.execute(ended.order_by(columns.model, columns.updated_at.desc()))
    return {
        (row.model, f"request:{row.id}"): f"retraining for {row.cause} failed: {row.result}"
        for row in rows
        if row.status == "failed"
    }


def _breakers(connection: sa.Connection, models: Mapping[str, Model]) -> Causes:
    """Models whose candidates were rejected so often in a row that nothing more is asked."""
    columns = retrain_requests.c
    query = sa.select(columns.model, columns.cause, columns.status, columns.requested_at, columns.id)
    failed = failed_live(connection)
    rows = connection.execute(query.order_by(columns.model, columns.requested_at)).all()
    causes: Causes = {}
    for name, group in groupby(rows, key=lambda row: str(row.model)):
        past = [PastRequest(row.cause, row.status, row.requested_at, row.id in failed) for row in group]
        if name in models and tripped(models[name].limits, past):
            number = models[name].limits.stop_after_rejections
            message = f"{number} candidates in a row were rejected or failed live, nothing is asked for a change"
            causes[name, "breaker"] = f"{message}; `everfit history {name}` says why"
    return causes


def _quarantines(connection: sa.Connection) -> Causes:
    """What nobody has released, a cause a run of days: its name is the run's first day, also where that was released."""
    causes: Causes = {}
    for name in connection.execute(sa.select(quarantines.c.model).distinct().order_by(quarantines.c.model)).scalars().all():
        for run in _runs(of_model(connection, name)):
            unreleased = [row for row in run if row.release is None]
            if unreleased:
                causes[name, f"quarantine:{run[0].start:%Y-%m-%dT%H:%M}"] = _quarantined(name, unreleased)
    return causes


def _runs(rows: Sequence[Quarantine]) -> list[list[Quarantine]]:
    """Quarantines in order of time by days that follow one another."""
    runs: list[list[Quarantine]] = []
    until: datetime | None = None
    for row in rows:
        if until is None or row.start > until:
            runs.append([])
        runs[-1].append(row)
        until = max(until or row.end, row.end)
    return runs


def _quarantined(model: str, unreleased: Sequence[Quarantine]) -> str:
    reasons = [*dict.fromkeys(row.reason for row in unreleased)]
    more = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
    told = "; ".join([*reasons[:MOST_REASONS], *more])
    since, until = min(row.start for row in unreleased), max(row.end for row in unreleased)
    span = f"from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}"
    release = f"--from {since:%Y-%m-%d} --to {until + DAY - MICROSECOND:%Y-%m-%d} --reason …"
    return f"not trained on {span}: {told}; where it is right after all, `everfit quarantine release {model} {release}`"


def _stuck(connection: sa.Connection) -> Causes:
    """What fails and is tried again, while the rest goes on."""
    return {
        (failure.part.model, f"stuck:{failure.part}"): f"{failure.part} fails, {failure.attempts} attempts since "
        f"{format_time(failure.first_at)}: {failure.error}; all else goes on, `everfit status` says when it is tried again"
        for failure in failures.listed(connection)
    }
