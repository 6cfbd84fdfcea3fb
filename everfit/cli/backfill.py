"""``everfit backfill``: compute a model's days that are out of date."""

from functools import partial
from typing import Annotated

import typer

from everfit.cli.output import print_json


def backfill(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    start: Annotated[
        str | None, typer.Option("--from", help="First day, UTC, such as 1996-09-04. Default: the first day with rows.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day after the last day, UTC. Default: the model's clock.")] = None,
    assets: Annotated[str, typer.Option("--assets", help="The assets to compute, separated by commas.")] = "raw_data,features",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Compute the days whose rows, look-back or declaration changed since they were last computed, many days in each run.

    Days that are up to date are left alone. If the command is interrupted, run it again to continue.
    """
    from everfit.declaration.discovery import find_model
    from everfit.errors import BackfillError
    from everfit.pipeline.backfill_runs import backfill as compute_days
    from everfit.runtime import Runtime
    from everfit.timing import parse_time

    try:
        first, last = (parse_time(text) if text else None for text in (start, end))
    except ValueError as error:
        raise BackfillError(str(error)) from error
    with Runtime.load() as runtime:
        declared = find_model(runtime.models, model)
        wanted = [asset.strip() for asset in assets.split(",")]
        report = partial(typer.echo, err=as_json)
        done = compute_days(runtime, declared, start=first, end=last, assets=wanted, announce=report)
    if as_json:
        print_json(done)
    if not done.succeeded:
        raise typer.Exit(1)
