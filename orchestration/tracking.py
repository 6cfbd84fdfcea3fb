"""What a run tracks: to MLflow by dagster-mlflow's resource, and to every installed tracker beside it."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, cast

import dagster as dg

from everfit.environment.http_client import trust_in_mlflow
from everfit.pipeline.trackers import Number, TrackedRun, Trackers


class MlflowTracker:
    """dagster-mlflow's resource: one MLflow run a Dagster run.

    It is begun at its first use: loading MLflow takes seconds that most steps do without.
    """

    def __init__(self, context: dg.InitResourceContext, experiment: str) -> None:
        self._context = context
        self._experiment = experiment

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the MLflow run."""
        self._mlflow.set_tags(dict(tags))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters of the MLflow run."""
        self._mlflow.log_params(dict(params))

    def log_metrics(self, metrics: Mapping[str, Number]) -> None:
        """Log metrics of the MLflow run."""
        self._mlflow.log_metrics(dict(metrics))

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """Log a JSON artifact of the MLflow run."""
        self._mlflow.log_dict(dict(document), name)

    def end(self, *, failed: bool) -> None:
        """End the MLflow run, where one was begun."""
        if "_mlflow" in self.__dict__:
            import mlflow

            mlflow.end_run("FAILED" if failed else "FINISHED")

    @property
    def run_id(self) -> str:
        """Id of the MLflow run, which is begun where none was yet."""
        return str(self._mlflow.active_run().info.run_id)

    @property
    def page(self) -> str:
        """URL of the MLflow run's page."""
        info = self._mlflow.active_run().info
        pages = self._context.resources.everfit.settings.mlflow_pages.rstrip("/")
        return f"{pages}/#/experiments/{info.experiment_id}/runs/{info.run_id}"

    @cached_property
    def _mlflow(self) -> Any:
        trust_in_mlflow()
        config = {
            "experiment_name": self._experiment,
            "mlflow_tracking_uri": self._context.resources.everfit.settings.mlflow,
            "env": {},
            "extra_tags": {},
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            warnings.simplefilter("ignore", DeprecationWarning)  # it reads the context's dagster_run
            from dagster_mlflow import mlflow_tracking

            start = cast("Callable[[dg.InitResourceContext], Iterator[Any]]", mlflow_tracking.resource_fn)
            return next(iter(start(self._context.replace_config(config))))


class Tracking(Trackers):
    """All trackers of a Dagster run; ``mlflow`` is the default one."""

    def __init__(self, context: dg.InitResourceContext) -> None:
        assert context.run is not None
        run = TrackedRun(context.run.run_id, _experiment(context.run))
        self.mlflow = MlflowTracker(context, run.model)
        super().__init__(self.mlflow, run, context.log or dg.get_dagster_logger())


def _experiment(run: dg.DagsterRun) -> str:
    """One experiment a model: the model whose assets the run materializes."""
    return min((key.path[0] for key in run.asset_selection or ()), default="everfit")
