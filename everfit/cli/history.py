"""``everfit history``: what became champion, when and why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import sqlalchemy as sa


def history(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as one JSON document.")] = False,
) -> None:
    """Show a model's ledger: every promotion, rejection and rollback, oldest first."""
    import msgspec

    from everfit.catalogue import find_model
    from everfit.deployment import Deployment

    deployment = Deployment.load()
    try:
        entries = _entries(deployment.engine, find_model(deployment.models, model).name)
    finally:
        deployment.close()
    if as_json:
        typer.echo(msgspec.json.encode(entries).decode())
        return
    for entry in entries:
        versions = f"{entry['from_version'] or 'none'} → {entry['to_version'] or 'none'}"
        typer.echo(
            f"{entry['event_time']:%Y-%m-%d %H:%M}  {entry['action']:<11} {versions:<8} {entry['cause']}: {entry['reason']}"
        )
    if not entries:
        typer.echo(f"{model} has no champion yet: `everfit train {model}` makes the first")


def _entries(engine: "sa.Engine", model: str) -> list[dict[str, Any]]:
    import sqlalchemy as sa

    from everfit.store.database import reachable
    from everfit.store.tables import ledger

    with reachable(engine), engine.connect() as connection:
        rows = connection.execute(sa.select(ledger).where(ledger.c.model == model).order_by(ledger.c.id))
        return [dict(row) for row in rows.mappings()]
