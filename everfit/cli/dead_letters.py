"""``everfit dead-letters``: records of the log that could not be used."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everfit.store.letters import Letter

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
PRINTED_BYTES = 2_000

app = typer.Typer(
    help="Records of the log that could not be used: list them with their reasons, and store them once they are valid.",
    no_args_is_help=True,
)


@app.command("list", epilog="Example: everfit dead-letters list --topic everfit.outcomes")
def list_letters(
    topic: Annotated[str | None, typer.Option(help="Only dead letters of this topic.")] = None,
    limit: Annotated[int, typer.Option(help="How many to list, newest first.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest dead letters that are not stored yet."""
    from everfit.runtime import Runtime
    from everfit.store import letters
    from everfit.store.database import reachable

    with Runtime.load() as runtime, reachable(runtime.engine), runtime.engine.connect() as connection:
        found = letters.newest(connection, topic=topic, limit=limit)
    _print(found, as_json)


@app.command(epilog="Example: everfit dead-letters show 12")
def show(
    number: Annotated[int, typer.Argument(help="The number of a dead letter, from the list.")], as_json: AsJson = False
) -> None:
    """Print a dead letter with the bytes that were read."""
    from everfit.errors import UnknownLetterError
    from everfit.runtime import Runtime
    from everfit.store import letters
    from everfit.store.database import reachable

    with Runtime.load() as runtime, reachable(runtime.engine), runtime.engine.connect() as connection:
        found = letters.find(connection, number)
    if found is None:
        raise UnknownLetterError(f"no dead letter has the number {number}; `everfit dead-letters list` has those there are")
    if as_json:
        print_json(_document(found, whole=True))
        return
    for name, value in _document(found, whole=True).items():
        typer.echo(f"{name:<12} {value}")


@app.command(epilog="Example: everfit dead-letters redrive --all")
def redrive(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of dead letters, from the list.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters that are not stored yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check dead letters again and store the valid ones; exit code 1 if any is still invalid."""
    from everfit.runtime import Runtime
    from everfit.store import letters
    from everfit.store.database import reachable
    from monitors.redrive import redrive as store

    if bool(numbers) == everything:
        raise typer.BadParameter("give numbers of dead letters, or --all")
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


def _print(found: "Sequence[Letter]", as_json: bool) -> None:
    if as_json:
        print_json([_document(letter) for letter in found])
        return
    for letter in found:
        where = f"{letter.topic} {letter.partition}:{letter.offset}"
        typer.echo(f"{letter.id:>8}  {letter.read_at:%Y-%m-%d %H:%M}  {where:<32} {letter.reason}")
    if not found:
        typer.echo("no dead letters")


def _document(letter: "Letter", *, whole: bool = False) -> dict[str, Any]:
    from dataclasses import asdict

    value = letter.value
    text = None if value is None else value[: None if whole else PRINTED_BYTES].decode(errors="backslashreplace")
    return asdict(letter) | {"value": text, "bytes": len(value or b"")}
