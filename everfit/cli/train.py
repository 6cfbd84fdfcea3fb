"""``everfit train``: request a training and wait for its verdict."""

from typing import Annotated

import typer

from everfit.cli.output import print_json


def train(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the request and its outcome as one JSON document.")] = False,
) -> None:
    """Train candidates and promote the winner of the gate. The first training uses the rows recorded before the go-live.

    A rejection is a normal outcome and is printed with its reason; only a failed run makes this command fail.
    """
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.training_request import await_training, request_training
    from everfit.replay.bootstrap import bootstrap
    from everfit.runtime import Runtime

    with Runtime.load() as runtime:
        declared = find_model(runtime.models, model)
        if rows := bootstrap(runtime, declared):
            typer.echo(f"published {rows:,} rows from before {declared.name} went live", err=True)
        training = request_training(runtime, declared)
        if not training.is_new:
            typer.echo(f"nothing new is known since training {training.request.id} was requested", err=True)
        done = await_training(runtime, training.request, report=lambda line: typer.echo(line, err=True))
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{done.model}: training {done.id} ({done.cause}) {done.status}: {done.result or 'see its run in Dagster'}")
    if done.status == "failed":
        raise typer.Exit(1)
