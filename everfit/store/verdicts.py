"""The gate's verdicts on record: what evaluations have cost of the budget, and those that wait for more days."""

from datetime import datetime

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
    columns, verdicts = ledger.c, (*ENDING, "inconclusive")
    query = sa.select(columns.action, columns.event_time, columns.reason).where(
        columns.model == model, columns.action.in_(verdicts)
    )
    row = connection.execute(query.order_by(columns.id.desc()).limit(1)).first()
    return Inconclusive(row.event_time, row.reason) if row is not None and row.action == "inconclusive" else None


def evaluation_before(connection: sa.Connection, model: str, at: datetime) -> str | None:
    """The hash of the newest evaluation before a moment of the model's clock whose verdict was inconclusive, also where another
    version became champion since; None where there is none."""
    columns = ledger.c
    about = (columns.model == model, columns.action == "inconclusive", columns.event_time < at)
    query = sa.select(columns.detail["evaluation"].astext).where(*about).order_by(columns.id.desc()).limit(1)
    return connection.execute(query).scalar()
