"""``everfit approve``, ``reject``, ``pause`` and ``resume``: a person's word on rollouts and decisions."""

from typing import Annotated

import typer

from everfit.cli.person import in_a_hurry, person

Named = Annotated[str, typer.Argument(help="A declared model.")]
Reason = Annotated[str | None, typer.Option(help="The reason, kept in the ledger.")]
By = Annotated[str | None, typer.Option(help="Your name, kept in the ledger; by default the system's user.")]


def approve(model: Named, reason: Reason = None, by: By = None) -> None:
    """Let the version that waits for a person go on in its rollout."""
    from everfit.declaration.discovery import find_model
    from everfit.pipeline import approval
    from everfit.runtime import Runtime
    from everfit.store.database import reachable

    actor = f"person {person(by)}"
    in_a_hurry()
    with Runtime.load() as runtime, reachable(runtime.engine):
        rollout = approval.approve(runtime, find_model(runtime.models, model), actor=actor, reason=reason)
    following = rollout.stages[rollout.step + 1].kind
    typer.echo(f"{model}: version {rollout.version} is approved; {'it is champion' if following == 'guard' else following} now")


def reject(model: Named, reason: Reason = None, by: By = None) -> None:
    """End the rollout of the version that challenges the champion, which stays."""
    from everfit.declaration.discovery import find_model
    from everfit.pipeline import approval
    from everfit.runtime import Runtime
    from everfit.store.database import reachable

    actor = f"person {person(by)}"
    in_a_hurry()
    with Runtime.load() as runtime, reachable(runtime.engine):
        rollout = approval.reject(runtime, find_model(runtime.models, model), actor=actor, reason=reason)
    typer.echo(f"{model}: version {rollout.version} is rejected; version {rollout.replaces} stays champion")


def pause(model: Named, reason: Reason = None, by: By = None) -> None:
    """Stop a model's decisions, promotions and rollouts; its log is read, and its windows are judged, as before."""
    _switch(model, reason, by, on=True)


def resume(model: Named, reason: Reason = None, by: By = None) -> None:
    """Let a paused model's decisions, promotions and rollouts go on."""
    _switch(model, reason, by, on=False)


def _switch(model: str, reason: str | None, by: str | None, *, on: bool) -> None:
    from everfit.declaration.discovery import find_model
    from everfit.pipeline import approval
    from everfit.runtime import Runtime
    from everfit.store.database import reachable

    actor, switch = f"person {person(by)}", approval.pause if on else approval.resume
    with Runtime.load() as runtime, reachable(runtime.engine):
        changed = switch(runtime, find_model(runtime.models, model), actor=actor, reason=reason)
    done = ("is paused", "was paused already") if on else ("goes on", "was not paused")
    typer.echo(f"{model} {done[0] if changed else done[1]}")
