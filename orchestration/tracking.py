"""What a run tracks: to MLflow by dagster-mlflow's resource, and to the other chosen trackers beside it."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

import dagster as dg

from everfit.environment.settings import Settings
from everfit.pipeline.chosen_trackers import MLFLOW, chosen_trackers, own_trackers
from everfit.pipeline.trackers import TrackedRun, Tracker, Trackers
from orchestration.experiments import JOB, STEP


class Tracking(Trackers):
    """All trackers of a Dagster run, begun at their first use: loading MLflow takes seconds that most steps do without."""

    def __init__(self, context: dg.InitResourceContext) -> None:
        assert context.run is not None
        settings = context.resources.everfit.settings
        logger = context.log or dg.get_dagster_logger()
        own = own_trackers(settings) | {MLFLOW: lambda run: _mlflow(context, settings, run)}
        run = TrackedRun(context.run.run_id, _experiment(context.run))
        super().__init__(chosen_trackers(own, logger), run, logger, here=MLFLOW)


def _mlflow(context: dg.InitResourceContext, settings: Settings, run: TrackedRun) -> Tracker:
    """dagster-mlflow's run: one a Dagster run."""
    from everfit.pipeline.mlflow_tracker import MlflowTracker

    class OfDagster(MlflowTracker):
        def begin(self, run: TrackedRun) -> None:
            config = {"experiment_name": run.model, "mlflow_tracking_uri": settings.mlflow, "env": {}, "extra_tags": {}}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", dg.BetaWarning)
                warnings.simplefilter("ignore", DeprecationWarning)  # it reads the context's dagster_run
                from dagster_mlflow import mlflow_tracking

                start = cast("Callable[[dg.InitResourceContext], Iterator[Any]]", mlflow_tracking.resource_fn)
                next(iter(start(context.replace_config(config))))

    return OfDagster(settings, run)


def _experiment(run: dg.DagsterRun) -> str:
    """One experiment a model: the model whose assets the run materializes, or whose settings it tries."""
    if run.job_name == JOB:
        config: Any = run.run_config
        return str(config["ops"][STEP]["config"]["model"])
    return min((key.path[0] for key in run.asset_selection or ()), default="everfit")
