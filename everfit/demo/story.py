"""What the loop did, read from its tables: alarms, retrainings and the versions that answered."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from everfit.declaration.reserved_columns import VERSION
from everfit.declaration.retraining import FRESHNESS
from everfit.demo.result import Alarm, Judged, Moved, Retraining, VersionLife
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Evaluation, Version
from everfit.runtime import Runtime
from everfit.store.tables import evidence, ledger, retrain_requests

if TYPE_CHECKING:
    import polars as pl

    from everfit.store.lake import Lake

EVIDENCE = "evidence"  # folder beside the report, so that its links work offline


def alarms(connection: sa.Connection, lake: "Lake", model: str, folder: Path) -> list[Alarm]:
    """Every alarm but those of freshness, which depend on dates alone; Evidently's reports are copied into the folder."""
    table = evidence.c
    query = sa.select(evidence).where(table.model == model, table.verdict == "alarm", table.kind != FRESHNESS)
    rows = connection.execute(query.order_by(table.window_end, table.version, table.kind)).all()
    return [
        Alarm(
            kind=row.kind,
            version=row.version,
            start=row.window_start,
            end=row.window_end,
            reason=row.reason,
            moved=_moved(row.detail, row.threshold),
            html=_copied(lake, row, folder),
        )
        for row in rows
    ]


def _moved(detail: dict[str, Any], threshold: float) -> list[Moved]:
    drifted = [column for column in detail.get("columns", []) if column.get("drifted")]
    columns = [
        Moved(
            column["column"],
            column.get("statistic", column["measure"]),
            abs(column["average"]) / column["allowed"] if "allowed" in column else column["distance"] / column["threshold"],
            f"{column['measure']} {column['distance']:.3f}",
        )
        for column in drifted
    ]
    relations = detail.get("relations", [])
    return columns + [Moved(" and ".join(r["columns"]), "relation", abs(r["average"]) / threshold, "") for r in relations]


def _copied(lake: "Lake", row: Any, folder: Path) -> str | None:
    """Copy the evidence's HTML next to the report; returns its link from there."""
    if "html" not in row.detail:
        return None
    (folder / EVIDENCE).mkdir(parents=True, exist_ok=True)
    name = f"{row.window_end:%Y-%m-%d}-version-{row.version}-{row.kind}.html"
    (folder / EVIDENCE / name).write_bytes(lake.get(row.detail["html"], "html"))
    return f"{EVIDENCE}/{name}"


def retrainings(connection: sa.Connection, model: str) -> list[Retraining]:
    """Every retrain request after the first training, with its result."""
    columns = retrain_requests.c
    made = sa.select(ledger.c.request, ledger.c.to_version).where(ledger.c.action == "promoted").subquery()
    query = sa.select(retrain_requests, made.c.to_version).outerjoin(made, made.c.request == columns.id)
    rows = connection.execute(
        query.where(columns.model == model, columns.cause != "bootstrap").order_by(columns.requested_at, columns.id)
    )
    return [Retraining(row.requested_at, row.cause, row.reason, row.status, row.result or "", row.to_version) for row in rows]


def judged(runtime: Runtime, connection: sa.Connection, model: str) -> list[Judged]:
    """Every evaluation that the ledger names, once, as it ended first; oldest first."""
    query = sa.select(ledger).where(ledger.c.model == model, ledger.c.detail.has_key("evaluation")).order_by(ledger.c.id)
    first = {row.detail["evaluation"]: row for row in reversed(connection.execute(query).all())}
    found = []
    for digest, row in reversed(first.items()):
        made = manifests.get(runtime.lake, digest, Evaluation)
        found.append(Judged(row.event_time, row.cause, made.verdict, made.compared))
    return found


def promoted(runtime: Runtime, connection: sa.Connection, model: str) -> "list[tuple[Any, Version]]":
    """Every promotion in the ledger with its version, oldest first."""
    query = sa.select(ledger).where(ledger.c.model == model, ledger.c.action == "promoted").order_by(ledger.c.id)
    rows = connection.execute(query).all()
    return [(row, manifests.get(runtime.lake, row.detail["manifest"], Version)) for row in rows]


def lives(promotions: "list[tuple[Any, Version]]", answered: "pl.DataFrame", losses: "pl.DataFrame") -> list[VersionLife]:
    """How many requests each promoted version answered as champion, and its mean loss."""
    import polars as pl

    result = []
    for entry, version in promotions:
        own = pl.col(VERSION) == entry.to_version
        scored = losses.filter(own)
        result.append(
            VersionLife(
                version=entry.to_version,
                candidate=version.candidate.name,
                cause=entry.cause,
                since=entry.event_time,
                trained_until=version.training_set.cutoff,
                trained_rows=version.training_set.rows,
                answered=answered.filter(own).height,
                loss=float(scored["continuous"].mean()) if scored.height else None,  # type: ignore[arg-type]
            )
        )
    return result
