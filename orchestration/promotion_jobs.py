"""What a person on call does to a model's versions, as jobs: promote, rollback, approve, reject, pause and resume."""

from collections.abc import Callable

import dagster as dg
from pydantic import Field

from everfit.declaration import Model
from everfit.runtime import Runtime


class Said(dg.Config):
    """Which model, by whom, why."""

    model: str = Field(description="Name of a declared model.")
    by: str = Field(min_length=1, description="Your name, which stands in the ledger.")
    reason: str = Field(min_length=1, description="Why, which stands in the ledger.")


class Chosen(Said):
    """Which version."""

    version: int = Field(gt=0, description="A version that everfit trained, by its number.")


class TakenBack(Said):
    """Which version, if not the one that the champion replaced."""

    to: int | None = Field(default=None, description="An earlier version; by default the one that the champion replaced.")


def _said(act: Callable[[Runtime, Model, str, str], str], name: str, what: str) -> dg.JobDefinition:
    """A job of one step that needs no more than model, name and reason."""

    @dg.op(name=f"{name}_said", description=what, out=dg.Out(dg.Nothing))
    def said(context: dg.OpExecutionContext, config: Said, everfit: dg.ResourceParam[Runtime]) -> None:
        from everfit.declaration.discovery import find_model

        context.log.info("%s", act(everfit, find_model(everfit.models, config.model), f"person {config.by}", config.reason))

    @dg.job(name=name, description=what)
    def job() -> None:
        said()

    return job


def _approve(runtime: Runtime, model: Model, actor: str, reason: str) -> str:
    from everfit.pipeline import approval

    rollout = approval.approve(runtime, model, actor=actor, reason=reason)
    return f"version {rollout.version} goes on: {rollout.stages[rollout.step + 1].kind}"


def _reject(runtime: Runtime, model: Model, actor: str, reason: str) -> str:
    from everfit.pipeline import approval

    rollout = approval.reject(runtime, model, actor=actor, reason=reason)
    return f"version {rollout.version} is rejected; version {rollout.replaces} stays champion"


def _pause(runtime: Runtime, model: Model, actor: str, reason: str) -> str:
    from everfit.pipeline import approval

    return "paused" if approval.pause(runtime, model, actor=actor, reason=reason) else "it was paused before"


def _resume(runtime: Runtime, model: Model, actor: str, reason: str) -> str:
    from everfit.pipeline import approval

    return "resumed" if approval.resume(runtime, model, actor=actor, reason=reason) else "it was not paused"


@dg.op(out=dg.Out(dg.Nothing))
def version_promoted(context: dg.OpExecutionContext, config: Chosen, everfit: dg.ResourceParam[Runtime]) -> None:
    """Make a registered version champion, provisionally."""
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.manual_promotion import adopt

    model = find_model(everfit.models, config.model)
    done = adopt(everfit, model, config.version, actor=f"person {config.by}", reason=config.reason)
    context.log.info("version %s is champion, in place of version %s", done.version, done.replaced)


@dg.op(out=dg.Out(dg.Nothing))
def promotion_taken_back(context: dg.OpExecutionContext, config: TakenBack, everfit: dg.ResourceParam[Runtime]) -> None:
    """Make an earlier version champion again."""
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.rollback import roll_back

    model = find_model(everfit.models, config.model)
    done = roll_back(everfit, model, config.to, actor=f"person {config.by}", reason=config.reason)
    context.log.info("version %s is champion again, in place of version %s", done.version, done.replaced)


@dg.job(description="Make a registered version champion by hand; the version that it replaces guards it as a shadow.")
def promote() -> None:
    """One version."""
    version_promoted()


@dg.job(description="Take a promotion back: the version before is champion again.")
def rollback() -> None:
    """One model."""
    promotion_taken_back()


PROMOTION_JOBS = [
    promote,
    rollback,
    _said(_approve, "approve", "Let the version that waits for a person go on in its rollout."),
    _said(_reject, "reject", "End the rollout of the version that challenges the champion, which stays."),
    _said(_pause, "pause", "Stop a model's decisions, promotions and rollouts, while evidence goes on."),
    _said(_resume, "resume", "Let a paused model's decisions, promotions and rollouts go on."),
]
