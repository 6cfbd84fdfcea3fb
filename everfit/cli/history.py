"""``everfit history`` and ``versions``: what became of a model's versions, and who answered when."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from everfit.cli.output import print_csv, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from everfit.store.decided_windows import DecidedWindow, Forecast


def history(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    request: Annotated[str | None, typer.Option(help="Who answered this request, by its id.")] = None,
    at: Annotated[str | None, typer.Option(help="Who was champion at this moment of wall clock.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as one JSON document.")] = False,
) -> None:
    """Print a model's past, oldest first: promotions, rollbacks and rejections with their reasons, retrainings that failed.

    Between them stands what was decided about its windows and why, and beside a promotion what was expected of it and what came
    of it; --csv and --json print the ledger alone.

    Or say which version answered a request, shadows included, or was champion at a moment; exit code 1 where none is known.
    """
    from everfit.cli.told_history import told_history
    from everfit.declaration.discovery import find_model
    from everfit.runtime import Runtime

    with Runtime.load() as runtime:
        name = find_model(runtime.models, model).name
        entries = _answered(runtime.engine, name, request, at) if request or at else _entries(runtime.engine, name)
        decided, forecasts = _decided(runtime.engine, name) if not (request or at or as_json or as_csv) else ([], {})
    if as_json:
        print_json(entries)
    elif as_csv:
        print_csv(entries)
    elif request:
        for row in entries:
            typer.echo(f"{row['event_time']:%Y-%m-%d %H:%M:%S}  version {row['version']}, {row['role']}: {_answer(row)}")
    else:
        for line in told_history(entries, decided, forecasts):
            typer.echo(line)
    if not entries:
        typer.echo(_nothing(model, request, at), err=as_csv or as_json)
        if request or at:
            raise typer.Exit(1)


def versions(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the versions as one JSON document.")] = False,
) -> None:
    """Print every version of a model: what it was trained for and on, and what became of it."""
    from everfit.declaration.discovery import find_model
    from everfit.runtime import Runtime
    from everfit.store import served_history
    from everfit.store.database import reachable

    with Runtime.load() as runtime, reachable(runtime.engine), runtime.engine.connect() as connection:
        found = served_history.versions(connection, find_model(runtime.models, model).name)
    if as_json:
        print_json(found)
        return
    for version in found:
        trained = (
            f"{version.get('candidate', '')}, trained until {str(version.get('trained_until', '?'))[:10]}, {version['cause']}"
        )
        since = f"{version['since']:%Y-%m-%d}"
        typer.echo(f"{version['version']:>4}  {version['state']:<12} since {since}  {trained}")
    if not found:
        typer.echo(f"{model} has no version yet: `everfit train {model}` makes the first")


def _nothing(model: str, request: str | None, at: str | None) -> str:
    if request:
        return f"no answer to request {request} of {model} is on record; was it logged, and is the log read so far?"
    if at:
        return f"{model} had no champion at {at}"
    return f"{model} has no champion yet: `everfit train {model}` makes the first"


def _answer(row: dict[str, Any]) -> str:
    given = row["score"] if row["scores"] is None else row["scores"]
    return f"{given}{', degraded' if row['degraded'] else ''}{', explored' if row['explored'] else ''}"


def _answered(engine: "sa.Engine", model: str, request: str | None, at: str | None) -> list[dict[str, Any]]:
    from everfit.store import served_history
    from everfit.store.database import reachable
    from everfit.timing import parse_time

    if request and at:
        raise typer.BadParameter("give --request or --at, not both")
    with reachable(engine), engine.connect() as connection:
        if request:
            return served_history.answers_to(connection, model, request)
        try:
            moment = parse_time(at)
        except ValueError as error:
            raise typer.BadParameter(f"--at: {error}") from error
        row = served_history.champion_at(connection, model, moment)
        return [row] if row else []


def _decided(engine: "sa.Engine", model: str) -> "tuple[Sequence[DecidedWindow], dict[int, Forecast]]":
    from everfit.store import decided_windows
    from everfit.store.database import reachable

    with reachable(engine), engine.connect() as connection:
        return decided_windows.of_model(connection, model), decided_windows.forecasts(connection, model)


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
