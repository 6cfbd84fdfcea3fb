"""Weights & Biases as a tracker: one run of the project of the model's name, trials of a search as runs of its group.

wandb's own variables act: ``WANDB_MODE=offline`` writes files alone, ``WANDB_API_KEY`` signs in. No code, command line, console
output, git address or environment of the machine is sent: a secret may be in them.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from everfit.environment.settings import Settings
from everfit.errors import ServiceError
from everfit.pipeline.trackers import Dataset, Number, TrackedRun, Tracker


class WandbTracker(Tracker):
    """A run of Weights & Biases; its files lie in ``WANDB_DIR``, or below the home folder of everfit.

    Raises:
        ServiceError: when wandb is not installed.
    """

    def __init__(self, settings: Settings, run: TrackedRun) -> None:
        try:
            import wandb
        except ImportError as error:
            raise ServiceError("wandb is not installed: pip install 'everfit[wandb]', or change EVERFIT_TRACKERS") from error
        self._wandb, self._model, self._group = wandb, run.model, run.id
        self._folder = os.environ.get("WANDB_DIR") or str(settings.home)
        self._run = self._begin(id=run.id, name=run.id, resume="allow", job_type="training")
        self._run.define_metric("*", step_metric="step")

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record them in the run's config."""
        self._run.config.update(dict(tags), allow_val_change=True)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record them in the run's config."""
        self._run.config.update(dict(params), allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, Number], step: int | None = None) -> None:
        """Record figures in the run's summary; those with a step as curves over it."""
        if step is None:
            self._run.summary.update(dict(metrics))
        else:
            self._run.log({**metrics, "step": step})

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """Record a JSON file as an artifact."""
        self._log_artifact(json.dumps(document, default=str).encode(), name, "document")

    def log_plot(self, svg: str, name: str) -> None:
        """Record a drawing as an artifact."""
        self._log_artifact(svg.encode(), name, "plot")

    def log_file(self, content: bytes, name: str) -> None:
        """Record a file as an artifact."""
        self._log_artifact(content, PurePath(name).name, "file")

    def log_dataset(self, dataset: Dataset) -> None:
        """Record what the rows are in the run's config; the rows stay where they are."""
        self._run.config.update({"dataset": asdict(dataset)}, allow_val_change=True)

    def log_trial(self, name: str, params: Mapping[str, Any], metrics: Mapping[str, Number]) -> None:
        """Record a trial as a run of its own, in the group of this one."""
        trial = self._begin(name=name, job_type="trial", config=dict(params), reinit="create_new")
        trial.summary.update(dict(metrics))
        trial.finish()

    def end(self, *, failed: bool) -> None:
        """Finish the run."""
        self._run.finish(exit_code=int(failed))

    @property
    def page(self) -> str:
        """URL of the run's page; in offline mode the folder of its files."""
        return str(self._run.url or PurePath(self._run.dir).parent.as_uri())

    def _begin(self, **values: Any) -> Any:
        quiet = self._wandb.Settings(
            console="off",
            disable_git=True,
            save_code=False,
            silent=True,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        return self._wandb.init(project=self._model, group=self._group, dir=self._folder, settings=quiet, **values)

    def _log_artifact(self, content: bytes, name: str, kind: str) -> None:
        artifact = self._wandb.Artifact(f"{self._group}-{PurePath(name).stem}", type=kind)
        with artifact.new_file(name, mode="wb") as file:
            file.write(content)
        self._run.log_artifact(artifact)
