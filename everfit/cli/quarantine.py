"""``everfit quarantine``: which days are kept out of training and of the gate, why, and letting them count again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    import sqlalchemy as sa

    from everfit.store.quarantines import Quarantine

ModelName = Annotated[str, typer.Argument(help="A declared model.")]
From = Annotated[str | None, typer.Option("--from", help="Only days from this one on, UTC.")]
To = Annotated[str | None, typer.Option("--to", help="Only days before this one, UTC.")]
Column = Annotated[str | None, typer.Option("--column", help="Only of this column; * is what concerns them all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

app = typer.Typer(
    help="Days that are neither trained nor judged on, because what was logged on them looked broken.", no_args_is_help=True
)


@app.command("list", epilog="Example: everfit quarantine list electricity_price --json")
def list_held(model: ModelName, as_json: AsJson = False) -> None:
    """List what is quarantined now: a line a day and column, oldest first."""
    with _rows(model, None, None, None) as (_, rows):
        held = [row for row in rows if row.release is None]
    if as_json:
        print_json(held)
        return
    for row in held:
        typer.echo(f"{_span(row)}  {row.column:<20} {row.reason}")
    if not held:
        typer.echo(f"nothing of {model} is quarantined")


@app.command(epilog="Example: everfit quarantine show electricity_price --from 1996-09-11 --to 1996-09-18")
def show(model: ModelName, since: From = None, until: To = None, column: Column = None, as_json: AsJson = False) -> None:
    """Show all that there ever was with its releases: who, when, why."""
    with _rows(model, since, until, column) as (_, rows):
        pass
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{_span(row)}  {row.column}")
        typer.echo(f"  quarantined by the window to {row.quarantined_at:%Y-%m-%d %H:%M}: {row.reason}")
        if row.release:
            typer.echo(f"  released {row.release.at:%Y-%m-%d %H:%M} by {row.release.actor}: {row.release.reason}")
    if not rows:
        typer.echo(f"nothing of {model} was ever quarantined there")


@app.command(epilog="Example: everfit quarantine release electricity_price --from 1996-09-11 --reason 'the meter was right'")
def release(
    model: ModelName,
    reason: Annotated[str, typer.Option(help="Why it may count; kept with the release.")],
    since: From = None,
    until: To = None,
    column: Column = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is quarantined.")] = False,
    by: Annotated[str | None, typer.Option(help="Who releases it; you, by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let days count again, from the next training on; exit code 1 where nothing there is quarantined."""
    from everfit.cli.person import person
    from everfit.store.quarantines import release as let_go

    if everything == bool(since or until or column):
        raise typer.BadParameter("say which by --from, --to or --column, or --all")
    with _rows(model, since, until, column) as (connection, rows):
        held = [row for row in rows if row.release is None]
        count = let_go(connection, held, person(by), reason)
    if as_json:
        print_json({"released": count})
    else:
        typer.echo(f"{count} released; the next training of {model} learns from them")
    raise typer.Exit(count == 0)


@contextmanager
def _rows(
    model: str, since: str | None, until: str | None, column: str | None
) -> "Iterator[tuple[sa.Connection, Sequence[Quarantine]]]":
    """The model's quarantines that begin in the span, in a transaction that is committed at the end."""
    from everfit.declaration.discovery import find_model
    from everfit.runtime import Runtime
    from everfit.store import quarantines
    from everfit.store.database import reachable

    first, last = _moment("--from", since), _moment("--to", until)
    with Runtime.load() as runtime:
        name = find_model(runtime.models, model).name
        with reachable(runtime.engine), runtime.engine.begin() as connection:
            yield (
                connection,
                [
                    row
                    for row in quarantines.of_model(connection, name)
                    if (first is None or row.start >= first)
                    and (last is None or row.start < last)
                    and column in (None, row.column)
                ],
            )


def _moment(option: str, text: str | None) -> datetime | None:
    from everfit.timing import parse_time

    try:
        return parse_time(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def _span(row: "Quarantine") -> str:
    return f"{row.start:%Y-%m-%d %H:%M} to {row.end:%Y-%m-%d %H:%M}"
