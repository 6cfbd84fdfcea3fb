"""Trackers from outside the package beside a real MLflow, in a real execution of the assets by Dagster."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
import sqlalchemy as sa

from assets import model_assets
from everfit import GradientBoosting, Search
from everfit.environment.extensions import extensions
from everfit.pipeline import daily_partitions, experiments, manifests
from everfit.pipeline.manifests import TrainedModel, Version
from everfit.pipeline.retraining import retrain
from everfit.pipeline.trackers import TrackedRun, Tracker
from everfit.runtime import Runtime
from everfit.store.tables import ledger as ledger_table
from everfit.store.tables import partition_versions
from everfit.store.tables import retrain_requests as requests_table
from orchestration.experiments import JOB, STEP, experiment
from orchestration.resources import tracking as resource
from tests.examples import electricity
from tests.extensions import Install
from tests.loop import Loop

MODEL = electricity().model
STAGES = ("training_set", "trained_model", "evaluation", "champion")
DIARY = """
class Diary:
    calls = []

    def __init__(self, run):
        self.calls.append(("begin", run))

    def log_tags(self, tags):
        self.calls.append(("tags", tags))

    def log_params(self, params):
        self.calls.append(("params", params))

    def log_metrics(self, metrics, step=None):
        self.calls.append(("metrics", metrics))

    def log_plot(self, svg, name):
        self.calls.append(("plot", name))

    def log_file(self, content, name):
        self.calls.append(("file", name))

    def log_dataset(self, dataset):
        self.calls.append(("dataset", dataset))

    def log_document(self, document, name):
        self.calls.append((name, document))

    def end(self, *, failed):
        self.calls.append(("end", failed))
"""
FAILING = """
class Away:
    def __init__(self, run):
        raise ConnectionError("no server")

class Full:
    def __init__(self, run): ...
    def __getattr__(self, name):
        raise OSError(f"no room for {name}")
"""


@pytest.fixture
def runtime(engine: sa.Engine, tmp_path: Path, tracking: str) -> Runtime:
    """All that the candidates of the first champion are trained on is made."""
    loop = Loop(engine, tmp_path, MODEL, electricity().recorded)
    loop.publish(until=MODEL.go_live)
    days = daily_partitions.available_days(loop.runtime, MODEL)
    daily_partitions.land_days(loop.runtime, MODEL, days)
    daily_partitions.compute_days(loop.runtime, MODEL, days)
    made = Runtime(replace(loop.runtime.settings, mlflow=tracking), loop.runtime.models, loop.registry)
    made.__dict__["engine"] = engine
    return made


def materialize(runtime: Runtime, folder: Path, stages: Sequence[str] = STAGES) -> dg.ExecuteInProcessResult:
    keys = [dg.AssetKey([MODEL.name, stage]) for stage in stages]
    job = dg.define_asset_job("training", dg.AssetSelection.assets(*keys))
    resources = {"everfit": runtime, "tracking": resource}
    definitions = dg.Definitions(assets=model_assets(MODEL), jobs=[job], resources=resources, executor=dg.in_process_executor)
    with dg.DagsterInstance.ephemeral(str(folder)) as instance:
        run = definitions.resolve_job_def("training")
        return run.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False)


def in_mlflow(address: str, run_id: str) -> dict[str, Any]:
    """The MLflow run of a Dagster run."""
    url = f"{address}/api/2.0/mlflow"
    experiment = httpx.get(f"{url}/experiments/get-by-name", params={"experiment_name": MODEL.name}, trust_env=False).json()
    body = {
        "experiment_ids": [experiment["experiment"]["experiment_id"]],
        "filter": f"tags.dagster_run_id = '{run_id}'",
    }
    (run,) = httpx.post(f"{url}/runs/search", json=body, trust_env=False).json()["runs"]
    kept: dict[str, Any] = {name: {one["key"]: one["value"] for one in run["data"][name]} for name in ("params", "metrics")}
    kept["tags"] = {one["key"]: one["value"] for one in run["data"]["tags"]}
    kept["inputs"] = run.get("inputs", {}).get("dataset_inputs", [])
    return kept | {"status": run["info"]["status"], "id": run["info"]["run_id"]}


def test_a_tracker_from_outside_gets_what_mlflow_gets_and_one_that_fails_stops_nothing(
    runtime: Runtime, tracking: str, tmp_path: Path, install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    install(FAILING, trackers="Away")
    install(FAILING, trackers="Full")
    install(DIARY, trackers="Diary")
    done = materialize(runtime, tmp_path)
    assert done.success
    calls = extensions("trackers")["diary"].calls
    kept = in_mlflow(tracking, done.run_id)
    assert kept["status"] == "FINISHED"
    assert calls[0] == ("begin", TrackedRun(done.run_id, MODEL.name))
    assert calls[-1] == ("end", False)
    params = {name: str(value) for kind, values in calls if kind == "params" for name, value in values.items()}
    metrics = {name: value for kind, values in calls if kind == "metrics" for name, value in values.items()}
    assert params == kept["params"]
    assert metrics == pytest.approx(kept["metrics"])
    assert {"gradient_boosting.seed", "gradient_boosting.log_loss", "rows"} <= params.keys() | metrics.keys()
    documents = [name for name, _ in calls if name.endswith(".json")]
    assert documents == [
        "training_set.json",
        "environment.json",
        "code.json",
        "declaration.json",
        "left_out.json",
        "evaluation.json",
    ]
    rejected = {candidate.name for candidate in MODEL.candidates} - {kept["tags"]["everfit.winner"]}
    assert {Path(name).stem for kind, name in calls if kind == "file"} == rejected
    listed = httpx.get(
        f"{tracking}/api/2.0/mlflow/artifacts/list", params={"run_id": kept["id"], "path": "candidates"}, trust_env=False
    ).json()["files"]
    assert {Path(file["path"]).stem for file in listed} == rejected
    assert {f"{name}.gate.baseline" for name in ("gradient_boosting", "mlp")} <= kept["metrics"].keys()
    assert kept["tags"]["everfit.gate.mlp.servable"].startswith("passed: loads in a process of its own")
    (made,) = done.asset_materializations_for_node(f"{MODEL.name}__trained_model")
    page = str(made.metadata["MLflow run"].value)
    assert page == f"{tracking}/#/experiments/{page.split('/')[-3]}/runs/{kept['id']}"
    logged = capfd.readouterr().err
    assert logged.count("tracker away fails at begin: ConnectionError: no server; the run goes on") == 1
    assert "tracker full fails at log_params: OSError: no room for log_params; the run goes on" in logged
    assert "tracker full fails at end: OSError: no room for end; the run goes on" in logged


def test_a_run_that_fails_ends_as_failed_and_a_step_that_tracks_nothing_begins_none(
    runtime: Runtime, tracking: str, tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(DIARY, trackers="Diary")
    calls = extensions("trackers")["diary"].calls
    assert materialize(runtime, tmp_path, ["training_set", "evaluation"]).success is False, "nothing was trained"
    assert calls == []

    def fail(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("everfit.pipeline.training.train", fail)
    done = materialize(runtime, tmp_path, STAGES[:2])
    assert not done.success
    assert in_mlflow(tracking, done.run_id)["status"] == "FAILED"
    assert calls[-1] == ("end", True)


def test_an_experiment_is_tracked_and_judged_and_changes_nothing_of_the_model(
    runtime: Runtime, tracking: str, tmp_path: Path
) -> None:
    first = retrain(runtime, MODEL, actor="test")
    before = state(runtime)
    config = {"ops": {STEP: {"config": {"model": MODEL.name, "settings": {"gradient_boosting.trees": "7"}}}}}
    resources = {"everfit": runtime, "tracking": resource}
    job = dg.Definitions(jobs=[experiment], resources=resources).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        done = job.execute_in_process(run_config=config, instance=instance)
    assert done.success
    assert first.version == 1
    assert state(runtime) == before
    kept = in_mlflow(tracking, done.run_id)
    assert kept["params"]["gradient_boosting.trees"] == "7"
    assert not [name for name in kept["params"] if name.startswith("mlp.")]
    assert kept["tags"]["everfit.cause"] == "experiment"
    assert "it waits for days that neither has seen" in kept["tags"]["everfit.verdict"]
    (used,) = kept["inputs"]
    assert (used["dataset"]["name"], used["tags"]) == (MODEL.name, [{"key": "mlflow.data.context", "value": "training"}])


def state(runtime: Runtime) -> list[Any]:
    """All that a training could have changed: requests, ledger, aliases, and the newest version of every stage."""
    stages = [partition_versions.c.dataset == f"{MODEL.name}/{stage}" for stage in STAGES]
    with runtime.engine.connect() as connection:
        tables = [sa.select(table) for table in (ledger_table, requests_table)]
        rows = [connection.execute(query).all() for query in [*tables, sa.select(partition_versions).where(sa.or_(*stages))]]
    registry: Any = runtime.registry
    return [*rows, sorted(registry.artifacts), dict(registry.pointers)]


def test_a_search_is_recorded_repeated_by_no_training_on_the_same_data_and_begins_with_the_champions_settings(
    runtime: Runtime,
) -> None:
    class Kept(Tracker):
        def __init__(self) -> None:
            self.trials: list[Mapping[str, Any]] = []

        def log_trial(self, name: str, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
            self.trials.append(params)

    search = Search(GradientBoosting(trees=5), over={"leaves": (3, 31)}, trials=2)
    model = MODEL.model_copy(update={"candidates": [search]})
    first, second = Kept(), Kept()
    tried = experiments.experiment(runtime, model, first)
    assert retrain(runtime, model, actor="test").version == 1
    again = experiments.experiment(runtime, model, second)
    assert len(first.trials) == 2
    champion = manifests.get(runtime.lake, tag(runtime, "everfit.manifest"), Version).candidate
    before = manifests.get(runtime.lake, tried.verdict.trained_model, TrainedModel).candidates[0]
    assert (champion.artifact, champion.searched, champion.name) == (before.artifact, before.searched, search.name)
    assert champion.searched["params"] in first.trials
    assert tag(runtime, "everfit.found") == f"leaves={champion.searched['params']['leaves']}, the best of 2 trials"
    assert second.trials[0] == champion.searched["params"]  # after the promotion other days are the gate's
    assert again.verdict.champion == 1


def tag(runtime: Runtime, name: str) -> str:
    """A tag of the first version."""
    registry: Any = runtime.registry
    return str(registry.artifacts[MODEL.name, 1].tags[name])
