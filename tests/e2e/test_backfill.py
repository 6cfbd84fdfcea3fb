"""Days by the command line, by Dagster's pages and after a correction, on the real daemon and webserver."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import polars as pl
import pytest

from everfit.declaration.discovery import load_models
from everfit.pipeline import training_set
from everfit.pipeline.lineage import features_dataset
from everfit.replay.bootstrap import bootstrap
from everfit.runtime import Runtime
from everfit.sources.publication import publish
from everfit.store import partitions
from everfit.timing import midnight
from tests.e2e.brief.electricity_price import electricity_price as model
from tests.e2e.dagster_pages import Dagster
from tests.e2e.stack import Stack, running

pytestmark = pytest.mark.e2e

RAW, FEATURES, SET, TRAINED = ([model.name, stage] for stage in ("raw_data", "features", "training_set", "trained_model"))
DAYS = 57  # 6 May to 1 July 1996, UTC
CORRECTED = "1996-06-10"  # three weeks before the clock
STAGES = ["training_set", "trained_model", "evaluation", "champion"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("backfill") / "home", models="tests.e2e.brief") as stack:
        yield stack


@pytest.fixture(scope="module")
def runtime(stack: Stack) -> Iterator[Runtime]:
    """The stack's, with everything from before the go-live landed and nothing made of it."""
    with Runtime(stack.settings) as runtime:
        runtime.__dict__["models"] = load_models("tests.e2e.brief")
        bootstrap(runtime, model)
        yield runtime


@pytest.fixture(scope="module")
def dagster(stack: Stack, runtime: Runtime) -> Iterator[Dagster]:
    with closing(Dagster(stack.settings.dagster)) as client:
        yield client


def held(runtime: Runtime) -> dict[str, str]:
    """The data version of each day's features."""
    with runtime.engine.connect() as connection:
        return partitions.newest(connection, features_dataset(model))


def test_a_backfill_that_was_killed_is_gone_on_with(stack: Stack, runtime: Runtime, dagster: Dagster) -> None:
    command = [sys.executable, "-u", "-m", "everfit.cli.main", "backfill", model.name]
    with subprocess.Popen(command, env=stack.environment, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        assert f"{DAYS} to be made in 3 runs" in killed.stdout.readline()
        killed.stdout.readline()  # the runs are launched
        killed.kill()
    done = stack.json("backfill", model.name)
    assert (done["days"], done["up_to_date"]) == (DAYS, DAYS)
    assert len(held(runtime)) == DAYS
    spans = sorted(run["tags"]["dagster/asset_partition_range_start"] for run in dagster.runs())
    assert spans == ["1996-05-06", "1996-05-26", "1996-06-15"], "no day was made twice"
    assert {run["tags"]["dagster/priority"] for run in dagster.runs()} == {"-10"}
    assert stack.json("backfill", model.name)["runs"] == []


def test_what_is_made_by_hand_is_what_was_made(runtime: Runtime, dagster: Dagster) -> None:
    before = held(runtime)
    assert dagster.data_version(FEATURES, CORRECTED) == before[CORRECTED]
    assert dagster.materialize(RAW, partition=CORRECTED) == "SUCCESS"
    assert dagster.materialize(FEATURES, partition=CORRECTED) == "SUCCESS"
    assert dagster.materialize(RAW, FEATURES, partition="1996-06-01", last="1996-06-05") == "SUCCESS"
    assert held(runtime) == before
    for day in (CORRECTED, "1996-06-03"):
        assert dagster.data_version(FEATURES, day) == before[day]
        assert (dagster.stale(RAW, day), dagster.stale(FEATURES, day)) == ([], [])


def test_the_stages_after_the_days_are_made_with_a_config_that_has_bounds(runtime: Runtime, dagster: Dagster) -> None:
    def config(value: object, stage: str = "training_set", name: str = "cutoff") -> dict[str, object]:
        return {"ops": {f"{model.name}__{stage}": {"config": {name: value}}}}

    assert dagster.materialize(*([model.name, stage] for stage in STAGES), config=config("1996-06-25")) == "SUCCESS"
    by_hand = training_set.assemble(runtime, model, cutoff=midnight("1996-06-25"), request=None)
    assert dagster.data_version(SET) == runtime.lake.put_json(by_hand), "the same as the function behind it makes"
    first = dagster.data_version(TRAINED)
    assert dagster.materialize(TRAINED, config=config(7, "trained_model", "seed")) == "SUCCESS"
    assert dagster.data_version(TRAINED) != first
    assert "cutoff" in dagster.materialize(SET, config=config(["1996-06-25"]))
    assert dagster.materialize(SET, config=config("1996-08-01")) == "FAILURE"


def test_a_correction_is_shown_made_and_trained_on(stack: Stack, runtime: Runtime, dagster: Dagster) -> None:
    before = held(runtime)
    trained_on = training_set.assemble(runtime, model, cutoff=model.go_live, request=None)
    source = model.sources[0]
    row = source.recorded().filter(pl.col("period_start") == midnight(CORRECTED))  # type: ignore[misc]
    publish(runtime.engine, runtime.models, source.name, row.with_columns(price=1 - pl.col("price")))
    done = stack.json("backfill", model.name)
    looked = [day for day in before if CORRECTED <= day <= "1996-06-17"]  # its longest window is seven days
    assert [(run["assets"], run["first"], run["last"]) for run in done["runs"]] == [
        (["raw_data", "features"], CORRECTED, CORRECTED),
        (["features"], looked[1], looked[-1]),
    ]
    after = held(runtime)
    assert after[CORRECTED] != before[CORRECTED]
    assert {day for day in before if after[day] != before[day]} <= set(looked)
    assert dagster.stale(SET) != [], "features that it was made from have new data versions"
    for day in looked:
        assert (dagster.stale(RAW, day), dagster.stale(FEATURES, day)) == ([], [])
    again = training_set.assemble(runtime, model, cutoff=model.go_live, request=None)
    assert again.days[CORRECTED] == after[CORRECTED]
    assert trained_on.days[CORRECTED] == before[CORRECTED]
    runtime.lake.get_frame(before[CORRECTED])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["unheard_of"], "no model 'unheard_of'"),
        ([model.name, "--assets", "champion"], "no daily asset 'champion'"),
        ([model.name, "--from", "1996-06-01", "--to", "1996-06-01"], "holds no day"),
        ([model.name, "--to", "1996-07-20"], "beyond the clock of electricity_price"),
        ([model.name, "--to", "1996-01-01"], "nothing has landed in the range"),
        ([model.name, "--from", "soon"], "'soon' is no time"),
    ],
)
def test_what_cannot_be_backfilled_is_told_in_one_line(stack: Stack, runtime: Runtime, arguments: list[str], told: str) -> None:
    refused = stack.run("backfill", *arguments)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert told in refused.stderr
    assert refused.stderr.count("\n") == 1
