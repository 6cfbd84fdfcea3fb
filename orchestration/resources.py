"""Resources, built when a run or a tick first needs them; nothing heavy is imported before."""

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

import dagster as dg

from everfit.deployment import Deployment

if TYPE_CHECKING:
    from dagster_mlflow.resources import MlFlow


@dg.resource(description="Postgres, the lake, the registry and the declared models.")
def everfit(_: dg.InitResourceContext) -> Iterator[Deployment]:
    """The deployment that the environment, or the running embedded stack, describes."""
    deployment = Deployment.load()
    try:
        yield deployment
    finally:
        deployment.close()


@dg.resource(required_resource_keys={"everfit"}, description="dagster-mlflow's tracking: one MLflow run a Dagster run.")
def mlflow(context: dg.InitResourceContext) -> Iterator["MlFlow"]:
    """dagster-mlflow's resource, imported here because it loads mlflow; its MLflow run ends with the Dagster run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        from dagster_mlflow import mlflow_tracking

    config = {
        "experiment_name": _experiment(context),
        "mlflow_tracking_uri": context.resources.everfit.settings.mlflow,
        "env": {},
        "extra_tags": {},
    }
    start = cast("Callable[[dg.InitResourceContext], Iterator[MlFlow]]", mlflow_tracking.resource_fn)
    try:
        yield from start(context.replace_config(config))
    finally:
        import mlflow

        mlflow.end_run("FAILED" if _failed(context) else "FINISHED")


def _experiment(context: dg.InitResourceContext) -> str:
    """One experiment a model: the model whose assets the run materializes."""
    selected = context.dagster_run.asset_selection if context.dagster_run else None
    return min(key.path[0] for key in selected) if selected else "everfit"


def _failed(context: dg.InitResourceContext) -> bool:
    if context.instance is None or context.run_id is None:
        return False
    return bool(context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.STEP_FAILURE))
