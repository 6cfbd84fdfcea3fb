"""Which version answered: a request, by the log; at a moment, by the ledger."""

from collections.abc import Iterator, Mapping
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
    query = sa.select(ledger).where(ledger.c.model == model).order_by(ledger.c.id)
    found: dict[int, dict[str, Any]] = {}
    for row in connection.execute(query).mappings():
        for number, state in _became(dict(row)):
            version = found.setdefault(number, {"version": number, "cause": row["cause"]})
            version |= {"state": state, "since": row["event_time"], "by": row["actor"], "reason": row["reason"]}
            if number == row["to_version"]:  # whom the row's detail describes
                version |= {name: row["detail"][name] for name in ("candidate", "trained_until") if name in row["detail"]}
    return [found[number] for number in sorted(found)]


def _became(row: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """The versions that a row of the ledger is about, and what they became by it; the champion's successor replaces it."""
    before, after = row["from_version"], row["to_version"]
    if row["action"] == "rolled_back":
        yield before, "rolled_back"
        yield after, "promoted"
        return
    if row["action"] == "promoted" and before is not None and before != after:
        yield before, "replaced"
    about = row["detail"].get("version", after)
    if about is not None:
        yield about, row["action"]
