"""Resources, built when a run or a tick first needs them; heavy modules are not imported before."""

import warnings
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from everfit.environment.http_client import trust_in_mlflow
from everfit.environment.settings import Settings
from everfit.runtime import Runtime
from orchestration.declared_assets import declared

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow


@dg.resource(description="Postgres, the lake, the registry and the declared models.")
def everfit(_: dg.InitResourceContext) -> Runtime:
    """The deployment that the environment, or the running embedded stack, describes; one a process, for all its ticks."""
    return _deployment()


@cache
def _deployment() -> Runtime:
    return Runtime(Settings.load(), declared().models)


@dg.resource(required_resource_keys={"everfit"}, description="dagster-mlflow's tracking: one MLflow run a Dagster run.")
def mlflow(context: dg.InitResourceContext) -> Iterator["Tracking"]:
    """One MLflow run a Dagster run: begun by the first step that tracks something, ended with the Dagster run."""
    tracking = Tracking(context)
    try:
        yield tracking
    finally:
        tracking.end()


class Tracking:
    """dagster-mlflow's resource, started at its first use: loading MLflow takes seconds that most steps do without."""

    def __init__(self, context: dg.InitResourceContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resource, name)

    def end(self) -> None:
        """End the MLflow run, where one was begun."""
        if "_resource" in self.__dict__:
            import mlflow

            mlflow.end_run("FAILED" if _failed(self._context) else "FINISHED")

    @cached_property
    def _resource(self) -> "MlFlow":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            from dagster_mlflow import mlflow_tracking

        trust_in_mlflow()
        config = {
            "experiment_name": _experiment(self._context),
            "mlflow_tracking_uri": self._context.resources.everfit.settings.mlflow,
            "env": {},
            "extra_tags": {},
        }
        start = cast("Callable[[dg.InitResourceContext], Iterator[MlFlow]]", mlflow_tracking.resource_fn)
        return next(iter(start(self._context.replace_config(config))))


def _experiment(context: dg.InitResourceContext) -> str:
    """One experiment a model: the model whose assets the run materializes."""
    selected = context.dagster_run.asset_selection if context.dagster_run else None
    return min(key.path[0] for key in selected) if selected else "everfit"


def _failed(context: dg.InitResourceContext) -> bool:
    if context.instance is None or context.run_id is None:
        return False
    return bool(context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.STEP_FAILURE))
