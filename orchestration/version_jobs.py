"""Jobs on versions on record, ``reproduce`` and ``compare``, for a person who has Dagster open."""

import dagster as dg
from pydantic import Field

from assets.pools import TRAINING
from everfit.runtime import Runtime


class Reproduced(dg.Config):
    """The version that is made again."""

    model: str = Field(description="Name of a declared model.")
    version: int = Field(description="One of its versions.", gt=0)
    anyway: bool = Field(default=False, description="Also where code or environment differ: shows how far off it is.")


class Compared(dg.Config):
    """The versions that are compared."""

    model: str = Field(description="Name of a declared model.")
    before: int = Field(description="One of its versions.", gt=0)
    after: int = Field(description="Another one.", gt=0)


@dg.op(pool=TRAINING, out=dg.Out(dg.Nothing))
def version_made_again(context: dg.OpExecutionContext, config: Reproduced, everfit: dg.ResourceParam[Runtime]) -> None:
    """Make a version again from what was recorded of it; the step fails unless data, metrics and weights are identical."""
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.reproduction import reproduce as made_again

    done = made_again(everfit, find_model(everfit.models, config.model), config.version, anyway=config.anyway)
    shown = {part.name: f"{'identical' if part.identical else 'different'}: {part.finding}" for part in done.parts}
    context.log.info("%s", done.words)
    if done.state != "identical":
        raise dg.Failure(done.words, metadata=shown, allow_retries=False)
    context.log_event(dg.AssetObservation([config.model, "champion"], metadata=shown | {"reproduced": done.words}))


@dg.op(out=dg.Out(dg.Nothing))
def versions_compared(context: dg.OpExecutionContext, config: Compared, everfit: dg.ResourceParam[Runtime]) -> None:
    """Log what differs between two versions, a line a change."""
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.version_comparison import compare_versions, told

    found = compare_versions(everfit, find_model(everfit.models, config.model), config.before, config.after)
    for part, differing in found.differences.items():
        context.log.info("%s: %s", part, "; ".join(told(differing)) or "the same")
    for line in found.unrecorded:
        context.log.warning("%s", line)


@dg.job(
    description="Make a version again from what was recorded of it, and compare data, metrics and weights; nothing changes."
)
def reproduce() -> None:
    """One version."""
    version_made_again()


@dg.job(description="What differs between two versions: data by day, parameters, declaration, code, packages, figures.")
def compare() -> None:
    """Two versions."""
    versions_compared()
