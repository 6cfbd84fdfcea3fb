"""``everfit rollback``: take a promotion back."""

from typing import Annotated

import typer

from everfit.cli.output import print_json
from everfit.cli.person import in_a_hurry, person


def rollback(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    to: Annotated[int | None, typer.Option(help="The version; by default the one that the champion replaced.")] = None,
    reason: Annotated[str | None, typer.Option(help="The reason, kept in the ledger.")] = None,
    by: Annotated[str | None, typer.Option(help="Who rolls back; by default the system's user.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Make the version before the champion, or another earlier one, champion again. Works while MLflow is away.

    The loop asks for no retraining until a day of outcomes from after it is known.
    """
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.rollback import roll_back
    from everfit.runtime import Runtime
    from everfit.store.database import reachable

    actor = f"person {person(by)}"
    in_a_hurry()
    with Runtime.load() as runtime, reachable(runtime.engine):
        done = roll_back(runtime, find_model(runtime.models, model), to, actor=actor, reason=reason)
    if as_json:
        print_json(done)
        return
    typer.echo(f"{done.model}: version {done.version} is champion again, in place of version {done.replaced} ({done.reason})")
