"""MLflow as a tracker: one run of the model's experiment, trials of a search as runs beneath it."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from everfit.environment.http_client import settle_mlflow
from everfit.environment.settings import Settings
from everfit.pipeline.trackers import Dataset, Number, TrackedRun, Tracker

BATCH = 100  # parameters that MLflow takes at once
CHARACTERS = 6_000  # of a parameter's value
DIGEST_CHARACTERS = 36  # of a dataset's digest


class MlflowTracker(Tracker):
    """A run of MLflow; all its calls come from one thread, whose active run it is."""

    def __init__(self, settings: Settings, run: TrackedRun) -> None:
        import mlflow

        settle_mlflow()
        mlflow.set_tracking_uri(settings.mlflow)
        self.begin(run)
        active = mlflow.active_run()
        assert active is not None
        self._info = active.info
        self._pages = settings.mlflow_pages.rstrip("/")

    def begin(self, run: TrackedRun) -> None:
        """Make the run of MLflow that is active from here on."""
        import mlflow

        mlflow.set_experiment(run.model)
        mlflow.start_run(run_name=run.id)

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""
        import mlflow

        mlflow.set_tags(dict(tags))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters of the run; a value that is too long is cut."""
        import mlflow

        named = [(name, str(value)[:CHARACTERS]) for name, value in params.items()]
        for start in range(0, len(named), BATCH):
            mlflow.log_params(dict(named[start : start + BATCH]))

    def log_metrics(self, metrics: Mapping[str, Number], step: int | None = None) -> None:
        """Log metrics of the run."""
        import mlflow

        mlflow.log_metrics(dict(metrics), step=step)

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """Log a JSON artifact of the run."""
        import mlflow

        mlflow.log_dict(dict(document), name)

    def log_plot(self, svg: str, name: str) -> None:
        """Log a drawing as an artifact of the run."""
        import mlflow

        mlflow.log_text(svg, name)

    def log_file(self, content: bytes, name: str) -> None:
        """Log a file as an artifact of the run, in the folders of its name."""
        import mlflow

        path = PurePosixPath(name)
        with tempfile.TemporaryDirectory(prefix="everfit-artifact-") as folder:
            file = Path(folder) / path.name
            file.write_bytes(content)
            mlflow.log_artifact(str(file), path.parent.as_posix())

    def log_dataset(self, dataset: Dataset) -> None:
        """Log the rows as the run's input of training."""
        import mlflow
        from mlflow.entities import Dataset as Described
        from mlflow.entities import DatasetInput, InputTag

        described = Described(
            name=dataset.name,
            digest=dataset.digest[:DIGEST_CHARACTERS],
            source_type="local",
            source=json.dumps({"uri": dataset.source}),
            schema=json.dumps({"mlflow_colspec": [{"name": name, "type": kind} for name, kind in dataset.columns.items()]}),
            profile=json.dumps({"num_rows": dataset.rows, "sha256": dataset.digest}),
        )
        used = DatasetInput(described, [InputTag("mlflow.data.context", "training")])
        mlflow.MlflowClient().log_inputs(self._info.run_id, [used])

    def log_trial(self, name: str, params: Mapping[str, Any], metrics: Mapping[str, Number]) -> None:
        """Log a trial as a run nested in this one."""
        import mlflow

        with mlflow.start_run(run_name=name, nested=True):
            self.log_params(params)
            self.log_metrics(metrics)

    def end(self, *, failed: bool) -> None:
        """End the run."""
        import mlflow

        mlflow.end_run("FAILED" if failed else "FINISHED")

    @property
    def page(self) -> str:
        """URL of the run's page."""
        return f"{self._pages}/#/experiments/{self._info.experiment_id}/runs/{self._info.run_id}"
