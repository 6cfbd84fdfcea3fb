"""``everfit prune``: delete old rows of the prediction log."""

from typing import Annotated

import typer

from everfit.cli.output import print_json


def prune(
    older_than: Annotated[
        str, typer.Option(help="Age, such as 400d: by the models' clocks; for dead letters by the wall clock.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be deleted, and delete nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was deleted as one JSON document.")] = False,
) -> None:
    """Delete whole months of predictions, their outcomes, and dead letters, beyond an age.

    Rows that an open window or a training still needs are kept.
    """
    from everfit.runtime import Runtime
    from everfit.store.database import reachable
    from everfit.timing import parse_duration
    from monitors.retention import prune as drop

    try:
        age = parse_duration(older_than)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with Runtime.load() as runtime, reachable(runtime.engine):
        pruned = drop(runtime.engine, runtime.models.values(), age, dry_run=dry_run)
    if as_json:
        print_json(pruned)
        return
    months = ", ".join(name.removeprefix("predictions_").replace("_", "-") for name in pruned.partitions) or "none"
    typer.echo(
        f"{'would be deleted' if dry_run else 'deleted'}: months of predictions: {months}; outcomes: {pruned.outcomes}; "
        f"dead letters: {pruned.dead_letters}"
    )
    for reason in pruned.kept:
        typer.echo(f"kept: {reason}")
