"""``everfit promote``: make a version champion by hand."""

from typing import Annotated

import typer

from everfit.cli.output import print_json
from everfit.cli.person import in_a_hurry, person
from everfit.errors import PromotionError


def promote(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    version: Annotated[int | None, typer.Argument(help="A version that everfit trained, by its number in MLflow.")] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Set MLflow's alias back to the version that the ledger names.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="The reason, kept in the ledger and listed by `everfit history`.")] = None,
    by: Annotated[str | None, typer.Option(help="Who promotes; by default the system's user.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Make a version champion by hand, or correct MLflow's alias where it differs from the ledger.

    The ledger decides: an alias that was changed by hand has no effect until a version is promoted here. A version that MLflow
    has lost is registered again by --restore, under a new number.
    """
    from everfit.declaration.discovery import find_model
    from everfit.pipeline import manual_promotion
    from everfit.runtime import Runtime
    from everfit.store.database import reachable

    if restore == (version is not None):
        raise PromotionError(
            f"give either a version or --restore: `everfit promote {model} 3`, `everfit promote {model} --restore`"
        )
    actor = f"person {person(by)}"
    in_a_hurry()
    with Runtime.load() as runtime:
        declared = find_model(runtime.models, model)
        with reachable(runtime.engine):
            if version is None:
                done = manual_promotion.restore(runtime, declared, actor=actor, reason=reason)
            else:
                done = manual_promotion.adopt(runtime, declared, version, actor=actor, reason=reason)
    if as_json:
        print_json(done)
        return
    replaced = f", in place of version {done.replaced}" if done.replaced else ""
    typer.echo(f"{done.model}: version {done.version} is champion{replaced} ({done.done}: {done.reason})")
