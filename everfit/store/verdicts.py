"""The gate's verdicts on record: what evaluations have cost of the budget, and the one that waits for more days."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from everfit.declaration.retraining import Inconclusive
from everfit.store.ledger import CROWNING
from everfit.store.tables import ledger

ENDING = (*CROWNING, "rejected", "registered")  # each ends what was inconclusive before


def spent(connection: sa.Connection, model: str, since: datetime) -> float:
    """What evaluations have cost of the budget of wrong promotions since then, by the model's clock."""
    cost = sa.func.coalesce(sa.func.sum(ledger.c.detail["spent"].as_float()), 0.0)
    return float(connection.execute(sa.select(cost).where(ledger.c.model == model, ledger.c.event_time > since)).scalar_one())


def inconclusive(connection: sa.Connection, model: str) -> Inconclusive | None:
    """The newest verdict, where it waits for more days."""
    row = _waiting(connection, model)
    return None if row is None else Inconclusive(row.event_time, row.reason)


def waiting_evaluation(connection: sa.Connection, model: str) -> str | None:
    """The hash of the evaluation whose verdict waits for more days."""
    row = _waiting(connection, model)
    return None if row is None else row.detail["evaluation"]


def _waiting(connection: sa.Connection, model: str) -> Any:
    """The row of the newest verdict, where that is inconclusive."""
    columns, verdicts = ledger.c, (*ENDING, "inconclusive")
    query = sa.select(columns.action, columns.event_time, columns.reason, columns.detail).where(
        columns.model == model, columns.action.in_(verdicts)
    )
    row = connection.execute(query.order_by(columns.id.desc()).limit(1)).first()
    return row if row is not None and row.action == "inconclusive" else None
