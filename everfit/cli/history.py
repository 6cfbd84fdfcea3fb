"""``everfit history``: a model's promotions, rejections and failed retrainings."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    import sqlalchemy as sa


def history(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as one JSON document.")] = False,
) -> None:
    """Print a model's ledger, oldest first: promotions and rejections with their reasons, and retrainings that failed."""
    from everfit.declaration.discovery import find_model
    from everfit.runtime import Runtime

    with Runtime.load() as runtime:
        entries = _entries(runtime.engine, find_model(runtime.models, model).name)
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        versions = champion_change(entry["from_version"], entry["to_version"])
        typer.echo(
            f"{entry['event_time']:%Y-%m-%d %H:%M}  {entry['action']:<11} {versions:<8} {entry['cause']}: {entry['reason']}"
        )
    if not entries:
        typer.echo(f"{model} has no champion yet: `everfit train {model}` makes the first")


def champion_change(before: int | None, after: int | None) -> str:
    """The champion before and after, in words."""
    if after is None:
        return "none" if before is None else f"{before} stays"
    return f"{before or 'none'} → {after}"


def _entries(engine: "sa.Engine", model: str) -> list[dict[str, Any]]:
    """The ledger's rows and the failed retrainings in the same form, in the order in which they were written."""
    import sqlalchemy as sa

    from everfit.store.database import reachable
    from everfit.store.tables import ledger, retrain_requests

    requests = retrain_requests.c
    failed = sa.select(
        sa.literal("failed").label("action"),
        requests.champion.label("from_version"),
        sa.null().label("to_version"),
        sa.func.concat("dagster run ", requests.run_id).label("actor"),
        requests.cause,
        requests.result.label("reason"),
        requests.id.label("request"),
        requests.requested_at.label("event_time"),
        requests.updated_at.label("at"),
        sa.func.jsonb_build_object("attempt", requests.attempt).label("detail"),
    ).where(requests.model == model, requests.status == "failed")
    with reachable(engine), engine.connect() as connection:
        written = connection.execute(sa.select(ledger).where(ledger.c.model == model)).mappings()
        rows = [dict(row) for row in [*written, *connection.execute(failed).mappings()]]
    return sorted(rows, key=lambda row: row["at"])
