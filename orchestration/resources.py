"""Resources, built when a run or a tick first needs them; heavy modules are not imported before."""

from collections.abc import Iterator
from functools import cache

import dagster as dg

from everfit.environment.settings import Settings
from everfit.runtime import Runtime
from orchestration.declared_assets import declared
from orchestration.tracking import Tracking


@dg.resource(description="Postgres, the lake, the registry and the declared models.")
def everfit(_: dg.InitResourceContext) -> Runtime:
    """The deployment that the environment, or the running embedded stack, describes; one a process, for all its ticks."""
    return _runtime()


@cache
def _runtime() -> Runtime:
    return Runtime(Settings.load(), declared().models)


@dg.resource(
    required_resource_keys={"everfit"},
    description="What a run tracks: one MLflow run a Dagster run, by dagster-mlflow, and every installed tracker beside it.",
)
def tracking(context: dg.InitResourceContext) -> Iterator[Tracking]:
    """Begun by the first step that tracks something, ended with the Dagster run."""
    trackers = Tracking(context)
    try:
        yield trackers
    finally:
        trackers.end(failed=_failed(context))


def _failed(context: dg.InitResourceContext) -> bool:
    if context.instance is None or context.run is None:
        return False
    return bool(context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE))
