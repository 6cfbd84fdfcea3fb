"""``everfit dead-letters``: what could not be used, why, and storing it after all."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everfit.store.letters import Letter

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
SHOWN_BYTES = 2_000

app = typer.Typer(help="What of the log could not be used, why, and storing it after all.", no_args_is_help=True)


@app.command("list")
def list_letters(
    topic: Annotated[str | None, typer.Option(help="Only those of one topic.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest dead letters that were not stored since."""
    from everfit.runtime import Runtime
    from everfit.store import letters
    from everfit.store.database import reachable

    with Runtime.load() as runtime, reachable(runtime.engine), runtime.engine.connect() as connection:
        found = letters.newest(connection, topic=topic, limit=limit)
    _tell(found, as_json)


@app.command()
def show(number: Annotated[int, typer.Argument(help="Its number in the list.")], as_json: AsJson = False) -> None:
    """Show one dead letter as it was read."""
    from everfit.errors import UnknownLetterError
    from everfit.runtime import Runtime
    from everfit.store import letters
    from everfit.store.database import reachable

    with Runtime.load() as runtime, reachable(runtime.engine), runtime.engine.connect() as connection:
        found = letters.find(connection, number)
    if found is None:
        raise UnknownLetterError(f"no dead letter has the number {number}; `everfit dead-letters list` has those there are")
    if as_json:
        print_json(_told(found, whole=True))
        return
    for name, value in _told(found, whole=True).items():
        typer.echo(f"{name:<12} {value}")


@app.command()
def redrive(
    numbers: Annotated[list[int] | None, typer.Argument(help="Their numbers in the list.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not stored since.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check dead letters again and store those that fit now; exit code 1 where one still does not."""
    from everfit.runtime import Runtime
    from everfit.store import letters
    from everfit.store.database import reachable
    from monitors.redrive import redrive as store

    if bool(numbers) == everything:
        raise typer.BadParameter("give numbers, or --all")
    with Runtime.load() as runtime, reachable(runtime.engine):
        with runtime.engine.connect() as connection:
            wanted = letters.waiting(connection) if everything else numbers or []
        done = store(runtime.engine, runtime.models, wanted)
    if as_json:
        print_json({"stored": done.stored, "refused": {str(number): reason for number, reason in done.refused.items()}})
    else:
        typer.echo(f"{len(done.stored)} stored, {len(done.refused)} still refused")
        for number, reason in done.refused.items():
            typer.echo(f"{number:>8}  {reason}")
    raise typer.Exit(bool(done.refused))


def _tell(found: "Sequence[Letter]", as_json: bool) -> None:
    if as_json:
        print_json([_told(letter) for letter in found])
        return
    for letter in found:
        where = f"{letter.topic} {letter.partition}:{letter.offset}"
        typer.echo(f"{letter.id:>8}  {letter.read_at:%Y-%m-%d %H:%M}  {where:<32} {letter.reason}")
    if not found:
        typer.echo("no dead letters")


def _told(letter: "Letter", *, whole: bool = False) -> dict[str, Any]:
    from dataclasses import asdict

    value = letter.value
    text = None if value is None else value[: None if whole else SHOWN_BYTES].decode(errors="backslashreplace")
    return asdict(letter) | {"value": text, "bytes": len(value or b"")}
