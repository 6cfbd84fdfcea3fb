"""``everfit backfill``: bring a model's days up to date."""

from functools import partial
from typing import Annotated

import typer

from everfit.cli.output import print_json


def backfill(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    start: Annotated[str | None, typer.Option("--from", help="First day, UTC, as 1996-09-04; else the first of all.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day after the last, UTC; else the model's clock.")] = None,
    assets: Annotated[str, typer.Option("--assets", help="Of raw_data and features, with a comma.")] = "raw_data,features",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON document.")] = False,
) -> None:
    """Make the days whose rows, look-back or declaration have changed since they were made, in runs of many days each.

    What is up to date is left alone. Stopped on the way, the same command takes it up again.
    """
    from everfit.declaration.discovery import find_model
    from everfit.errors import BackfillError
    from everfit.pipeline.backfill_runs import backfill as bring_up
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
        done = bring_up(runtime, declared, start=first, end=last, assets=wanted, announce=report)
    if as_json:
        print_json(done)
    if not done.succeeded:
        raise typer.Exit(1)
