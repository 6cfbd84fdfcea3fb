"""``everfit compare``: what differs between two versions of a model."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from everfit.pipeline.document_changes import Change

LISTED = 6  # changes of one parent, such as days; more are counted


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
    from everfit.pipeline.version_comparison import compare_versions
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


def told(differing: "Sequence[Change]") -> Iterator[str]:
    """A line a change; where many belong to one thing, such as the days of a data set, a line for all of them."""
    for parent, group in groupby(differing, key=lambda change: change.at.rpartition(".")[0]):
        changed = list(group)
        if len(changed) > LISTED:
            yield f"{parent}: {'; '.join(_counted(changed))}"
        else:
            yield from (change.words for change in changed)


def _counted(changed: "Sequence[Change]") -> Iterator[str]:
    kinds = {
        "new": [change for change in changed if change.before is None],
        "gone": [change for change in changed if change.after is None],
        "different": [change for change in changed if change.before is not None and change.after is not None],
    }
    for kind, each in kinds.items():
        names = [change.at.rpartition(".")[2] for change in each]
        if names:
            yield f"{len(names)} {kind} ({names[0]}{f' to {names[-1]}' if len(names) > 1 else ''})"
