"""The champions' age by the wall clock, as Dagster judges it, where the loop passes and yet nothing is promoted.

A retraining of such a model is requested only where labels are known that are newer than its training data.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from everfit.alerts.state import Findings
from everfit.declaration import Model
from everfit.declaration.retraining import FRESHNESS
from everfit.policy.limits import refusal
from everfit.store import decisions, ledger, model_clocks, requests
from everfit.store.failures import describe
from everfit.store.tables import outcomes
from everfit.timing import format_duration, format_time
from monitors.attempts import Attempt


def overdue(connection: sa.Connection, models: Mapping[str, Model], failing: Mapping[str, datetime | None]) -> Findings:
    """The champions that Dagster calls too old, with when each was last promoted; requests a retraining where it can help."""
    ongoing = {}
    for name, promoted_at in failing.items():
        model = models[name]
        since = f"since {format_time(promoted_at)}" if promoted_at else "ever"
        message = f"nothing was promoted {since}, more than {format_duration(model.freshness.silence)} ago by the wall clock"
        done = Attempt(connection, is_last=True)(partial(_request, connection, model), _not_requested)
        ongoing[name, "overdue"] = f"{message}; {done}"
    return Findings({"overdue"}, ongoing, {})


def _not_requested(error: Exception) -> str:
    return f"a retraining could not be requested: {describe(error)}"


def _request(connection: sa.Connection, model: Model) -> str:
    """Request a retraining where there is something new to learn; returns what was done, in words."""
    champion = ledger.champion(connection, model.name)
    clock = model_clocks.read(connection, model)
    if champion is None or clock is None:
        return "there is no champion yet, or no prediction of it was logged"
    columns = outcomes.c
    newer = sa.select(columns.request_id).where(columns.model == model.name, columns.observed_at > champion.trained_until)
    if connection.execute(newer.limit(1)).first() is None:
        return f"no label is known from after {format_time(champion.trained_until)}, so that retraining would change nothing"
    refused = refusal(model, clock, FRESHNESS, decisions.history(connection, model, champion))
    if refused:
        return f"no retraining is requested: {refused}"
    reason = f"the dead man's switch: nothing was promoted for {format_duration(model.freshness.silence)} of wall clock"
    request = requests.new(model, FRESHNESS, reason, champion=champion.version, cutoff=clock)
    if requests.add(connection, request):
        return "a retraining is requested"
    return "a retraining was requested before, and nothing is known since"
