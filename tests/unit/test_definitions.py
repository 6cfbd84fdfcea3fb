"""The code location: light to import, complete, and without Dagster's pickling I/O manager in any asset's way."""

import itertools
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.launcher import RunLauncher

from everfit import BackfillPolicy
from everfit.dagster_api import names
from everfit.declaration.discovery import load_models
from everfit.errors import SettingsError
from orchestration import activation, pool_limits
from orchestration.definitions import build
from orchestration.schedules import ASSET_JOB, nightly_backfills

HEAVY = ("torch", "mlflow", "dagster_mlflow", "evidently", "sklearn", "pandas", "polars", "sqlalchemy", "kafka")
STAGES = ["raw_data", "features", "training_set", "trained_model", "evaluation", "champion"]


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return build().get_repository_def()


def test_importing_the_definitions_pulls_in_nothing_heavy() -> None:
    code = f"import sys, orchestration.definitions; print([m for m in {HEAVY} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]"


def test_every_stage_hangs_on_the_one_before(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    for before, stage in itertools.pairwise(STAGES):
        upstream = graph.get(dg.AssetKey(["electricity_price", stage])).parent_keys
        assert dg.AssetKey(["electricity_price", before]) in upstream


def test_no_asset_dangles(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.parent_keys or node.child_keys, f"{key} is connected to nothing"
        assert node.description, f"{key} says nothing of itself"


def test_assets_hand_on_references_never_objects(repository: dg.RepositoryDefinition) -> None:
    for definition in repository.assets_defs_by_key.values():
        if definition.is_executable:
            inputs = [taken.dagster_type for taken in definition.node_def.input_dict.values()]
            assert all(kind.is_nothing for kind in inputs), f"{definition.key} loads an input through an I/O manager"


def test_automation_is_off_until_it_is_switched_on(repository: dg.RepositoryDefinition) -> None:
    assert {sensor.default_status for sensor in repository.sensor_defs} == {dg.DefaultSensorStatus.STOPPED}
    assert not activation.is_on({})
    assert activation.is_on({"EVERFIT_AUTOMATION": "on"})
    with pytest.raises(SettingsError, match="EVERFIT_AUTOMATION='yes' is no switch; write on or off"):
        activation.is_on({"EVERFIT_AUTOMATION": "yes"})


def test_a_training_takes_the_pool_of_its_model_and_one_of_all(repository: dg.RepositoryDefinition) -> None:
    taken = {stage: repository.assets_defs_by_key[dg.AssetKey(["electricity_price", stage])].op.pool for stage in STAGES}
    own = "training_electricity_price"
    assert taken == dict.fromkeys(STAGES[:2]) | dict.fromkeys(STAGES[2:], own) | {"trained_model": "training"}
    slots = pool_limits.limits(load_models("models").values(), {"EVERFIT_TRAININGS_AT_ONCE": "5"})
    assert (slots[own], slots["training"]) == (1, 5)
    with pytest.raises(SettingsError, match="EVERFIT_TRAININGS_AT_ONCE='none' is no number; set a whole number"):
        pool_limits.limits([], {"EVERFIT_TRAININGS_AT_ONCE": "none"})


def test_all_of_it_loads_as_the_code_server_loads_it(repository: dg.RepositoryDefinition) -> None:
    repository.load_all_definitions()
    by_hand = ["approve", "compare", "experiment", "pause", "promote", "reject", "reproduce", "resume", "rollback"]
    assert [job.name for job in repository.get_all_jobs()] == [ASSET_JOB, *by_hand]


def test_one_schedule_makes_the_days_of_all_models_that_declare_its_time(repository: dg.RepositoryDefinition) -> None:
    models = load_models("models")
    early = BackfillPolicy(at="01:30")
    moved = [models["electricity_price"], models["flight_delay"].model_copy(update={"backfill": early})]
    assert [one.cron_schedule for one in nightly_backfills(moved)] == ["30 1 * * *", "0 2 * * *"]
    assert [one.name for one in repository.schedule_defs] == ["backfill_0200"]
    assert {one.default_status for one in repository.schedule_defs} == {dg.DefaultScheduleStatus.STOPPED}


def test_every_page_says_its_columns_its_owners_and_where_it_is_declared(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.owners, key
        assert node.kinds, key
        references = node.metadata["dagster/code_references"].code_references
        line = Path(references[0].file_path).read_text().splitlines()[references[0].line_number - 1]
        assert key.path[0] in line, key
    stored = ("raw_data", "features", "training_set", "half_hours", "predictions", "outcomes")
    for name in stored:
        assert graph.get(dg.AssetKey(["electricity_price", name])).metadata["dagster/column_schema"], name


def test_the_shared_names_are_those_of_what_is_there(repository: dg.RepositoryDefinition) -> None:
    assert import_module(names.DEFINITIONS).defs
    assert issubclass(getattr(import_module(names.LAUNCHER), names.LAUNCHER_CLASS), RunLauncher)
    assert repository.get_sensor_def(names.LOOP)
    (location,) = yaml.safe_load((Path(__file__).parents[2] / "workspace.yaml").read_text())["load_from"]
    assert location["python_module"] == {"module_name": names.DEFINITIONS, "location_name": names.LOCATION}
