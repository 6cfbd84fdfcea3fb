"""Which version answered: a request, by the log; at a moment, by the ledger."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from everfit.store.ledger import CROWNING
from everfit.store.tables import ledger, predictions


def answers_to(connection: sa.Connection, model: str, request: str) -> list[dict[str, Any]]:
    """All answers to a request: of clients and of shadows, by event time, role and version."""
    columns = predictions.c
    shown = (
        columns.request_id,
        columns.event_time,
        columns.version,
        columns.role,
        columns.entity,
        columns.score,
        columns.scores,
    )
    query = sa.select(*shown, columns.degraded, columns.explored).where(columns.model == model, columns.request_id == request)
    return [dict(row) for row in connection.execute(query.order_by(columns.event_time, columns.role)).mappings()]


def champion_at(connection: sa.Connection, model: str, moment: datetime) -> dict[str, Any] | None:
    """The ledger's row by which a version was champion at a moment of wall clock; None before the first."""
    crowned = (ledger.c.model == model, ledger.c.action.in_(CROWNING), ledger.c.at <= moment)
    row = connection.execute(sa.select(ledger).where(*crowned).order_by(ledger.c.id.desc()).limit(1)).mappings().first()
    return None if row is None else dict(row)


def versions(connection: sa.Connection, model: str) -> list[dict[str, Any]]:
    """Every version on record, oldest first: its cause, the end of its training data, and what became of it last."""
    columns = ledger.c
    about = (columns.model == model, columns.to_version.is_not(None))
    rows = connection.execute(sa.select(ledger).where(*about).order_by(columns.id)).mappings()
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        version = found.setdefault(row["to_version"], {"version": row["to_version"], "cause": row["cause"]})
        version |= {"state": row["action"], "since": row["event_time"], "by": row["actor"], "reason": row["reason"]}
        version |= {name: row["detail"][name] for name in ("candidate", "trained_until") if name in row["detail"]}
    return [found[number] for number in sorted(found)]
