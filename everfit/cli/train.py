"""``everfit train``: request a training and wait for its verdict."""

from typing import Annotated

import typer

from everfit.cli.experiment import dry_run
from everfit.cli.output import print_json
from everfit.errors import LaunchError


def train(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="With --dry: another value, as mlp.learning_rate=1e-3; several times.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Train and compare here, tracked; nothing is promoted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as one JSON document.")] = False,
) -> None:
    """Train candidates and promote the winner of the gate. The first training uses the rows recorded before the go-live.

    A rejection is a normal outcome and is printed with its reason; only a failed run makes this command fail.
    """
    if dry:
        dry_run(model, settings or [], as_json=as_json)
        return
    if settings:
        raise LaunchError(
            "--set is for experiments, which are never promoted: add --dry; what is promoted is trained as declared, "
            "so change the declaration for good"
        )
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
