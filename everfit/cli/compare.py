"""``everfit compare``: what differs between two versions of a model."""

from typing import Annotated

import typer

from everfit.cli.output import print_json


def compare(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    before: Annotated[int, typer.Argument(help="A version, as `everfit history MODEL` lists them.")],
    after: Annotated[int, typer.Argument(help="Another version.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all that differs as one JSON document.")] = False,
) -> None:
    """Show what differs between two versions: days of data and their hashes, recipe and parameters, declaration, code,
    packages, metrics, the gate's figures and the weights.
    """
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.version_comparison import compare_versions, told
    from everfit.runtime import Runtime
    from everfit.store.database import reachable

    with Runtime.load() as runtime, reachable(runtime.engine):
        found = compare_versions(runtime, find_model(runtime.models, model), before, after)
    if as_json:
        print_json(found)
        return
    typer.echo(f"{model}: version {before} → {after}")
    for part, differing in found.differences.items():
        typer.echo(f"{part}: {'' if differing else 'the same'}".rstrip())
        for line in told(differing):
            typer.echo(f"  {line}")
    for line in found.unrecorded:
        typer.echo(f"note: {line}", err=True)
