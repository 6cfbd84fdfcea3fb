"""``everfit quarantine``: days that are excluded from training and from the gate."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    import sqlalchemy as sa

    from everfit.runtime import Runtime
    from everfit.store.quarantines import Quarantine

ModelName = Annotated[str, typer.Argument(help="A declared model.")]
From = Annotated[str | None, typer.Option("--from", help="First day, UTC.")]
To = Annotated[str | None, typer.Option("--to", help="Day after the last day, UTC.")]
Column = Annotated[str | None, typer.Option("--column", help="Only this column; * stands for what concerns all columns.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

app = typer.Typer(
    help="Days that are excluded from training and from the gate, because their logged values look broken.",
    no_args_is_help=True,
)


@app.command("list", epilog="Example: everfit quarantine list electricity_price --json")
def list_quarantines(model: ModelName, as_json: AsJson = False) -> None:
    """List what is quarantined now: one line for each day and column, oldest first."""
    with _rows(model, None, None, None) as (_, _, rows):
        active = [row for row in rows if row.release is None]
    if as_json:
        print_json(active)
        return
    for row in active:
        typer.echo(f"{_span(row)}  {row.column:<20} {row.reason}")
    if not active:
        typer.echo(f"nothing of {model} is quarantined")


@app.command(epilog="Example: everfit quarantine show electricity_price --from 1996-09-11 --to 1996-09-18")
def show(model: ModelName, since: From = None, until: To = None, column: Column = None, as_json: AsJson = False) -> None:
    """Print every quarantine, past and present, with who released it, when and why."""
    with _rows(model, since, until, column) as (_, _, rows):
        pass
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{_span(row)}  {row.column}")
        typer.echo(f"  quarantined {row.quarantined_at:%Y-%m-%d %H:%M}: {row.reason}")
        if row.release:
            verb = "accepted" if row.release.accepted else "released"
            typer.echo(f"  {verb} {row.release.at:%Y-%m-%d %H:%M} by {row.release.actor}: {row.release.reason}")
    if not rows:
        typer.echo(f"nothing of {model} was ever quarantined there")


@app.command(epilog="Example: everfit quarantine release electricity_price --from 1996-09-11 --reason 'the meter was right'")
def release(
    model: ModelName,
    reason: Annotated[str, typer.Option(help="The reason, kept with the release.")],
    since: From = None,
    until: To = None,
    column: Column = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is quarantined.")] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="It is the new usual, such as another unit: not raised again, but judged as drift.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who releases it. Default: the user of this process.")] = None,
    as_json: AsJson = False,
) -> None:
    """Include days again, from the next training on; exit code 1 if none of them is quarantined."""
    from everfit.cli.person import person
    from everfit.sources.mask_changes import release as release_rows

    if everything == bool(since or until or column):
        raise typer.BadParameter("choose days by --from, --to or --column, or use --all")
    with _rows(model, since, until, column) as (runtime, connection, rows):
        active = [row for row in rows if row.release is None]
        count = release_rows(connection, runtime.models, active, person(by), reason, accept=accept)
    if as_json:
        print_json({"released": count})
    else:
        usual = ", and what was found there is usual from now on" if accept else ""
        typer.echo(f"{count} released{usual}; the next training of {model} learns from them")
    raise typer.Exit(count == 0)


@contextmanager
def _rows(
    model: str, since: str | None, until: str | None, column: str | None
) -> "Iterator[tuple[Runtime, sa.Connection, Sequence[Quarantine]]]":
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
                runtime,
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
