"""The job of an experiment: other settings, chosen in the launchpad, tried and tracked without any effect on the model."""

from typing import Any

import dagster as dg
from pydantic import Field

from assets.pools import TRAINING
from everfit.runtime import Runtime

JOB, STEP = "experiment", "tried_settings"


class Tried(dg.Config):
    """What is tried."""

    model: str = Field(description="Name of a declared model.")
    settings: dict[str, str] = Field(
        default_factory=dict,
        description="Other values, such as mlp.learning_rate: '1e-3'. Only the candidates that are named are trained; all of "
        "them where none is.",
    )


@dg.op(name=STEP, pool=TRAINING, out=dg.Out(dg.Nothing))
def tried_settings(
    context: dg.OpExecutionContext, config: Tried, everfit: dg.ResourceParam[Runtime], tracking: dg.ResourceParam[Any]
) -> None:
    """Train with other settings and hold the candidates against the champion; nothing is promoted."""
    from everfit.declaration.discovery import find_model
    from everfit.pipeline.experiments import experiment, with_settings

    tried = with_settings(find_model(everfit.models, config.model), config.settings)
    done = experiment(everfit, tried, tracking)
    context.log.info("%s; tracked by %s", done.verdict.reason, tracking.pages() or "nothing")


@dg.job(name=JOB, description="Other settings of a model's candidates, tracked, held against the champion, never promoted.")
def experiment() -> None:
    """One experiment."""
    tried_settings()
