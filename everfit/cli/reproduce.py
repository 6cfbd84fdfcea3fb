"""``everfit reproduce``: a version made again from what was recorded of it, and compared."""

from typing import Annotated

import typer

from everfit.cli.output import print_json


def reproduce(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    version: Annotated[int, typer.Argument(help="One of its versions, as `everfit history MODEL` lists them.")],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where code or environment differ: shows how far off it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as one JSON document.")] = False,
) -> None:
    """Put a version's training rows together again, train on them again, and compare data, metrics and weights.

    Exit code 0 says that all are identical. It changes nothing: it reads the database and the lake, and writes to a temporary
    folder. Refused where code or environment are not those that the version was made with.
    """
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.reproduction import reproduce as made_again
    from everfit.runtime import Runtime
    from everfit.store.database import reachable

    with Runtime.load() as runtime, reachable(runtime.engine):
        done = made_again(runtime, find_model(runtime.models, model), version, anyway=anyway)
    if as_json:
        print_json(done)
    else:
        for part in done.parts:
            typer.echo(f"{part.name:<8} {'identical' if part.identical else 'different'}  {part.finding}")
        for told in [*done.obstacles, *done.unrecorded] if done.parts else []:
            typer.echo(f"note: {told}", err=True)
        typer.echo(f"{done.words} ({done.seconds:.0f} s)" if done.parts else done.words)
    if done.state != "identical":
        raise typer.Exit(1)
