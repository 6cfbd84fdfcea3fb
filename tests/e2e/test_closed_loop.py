"""The closed loop on seven weeks around 4 May 1997, when the market was extended: driven by the real daemon, by nobody else."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from everfit.store.database import create_engine
from everfit.store.tables import consumer_offsets, decisions, evidence, ledger, outcomes, predictions, retrain_requests, windows
from everfit.waiting import wait_until
from tests.e2e.dagster_pages import Dagster
from tests.e2e.stack import Stack, running

pytestmark = pytest.mark.e2e

MODEL = "electricity_price"
FROM, TO = "1997-04-16", "1997-06-04"
WEEKS = 7
STAGES = ["raw_data", "features", "training_set", "trained_model", "evaluation", "champion"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("e2e") / "home", models="tests.e2e.declared") as stack:
        yield stack


@pytest.fixture(scope="module")
def replayed(stack: Stack) -> dict[str, Any]:
    """The first training and seven weeks of the world."""
    trained = stack.json("train", MODEL)
    assert trained["status"] == "promoted", trained
    played: dict[str, Any] = stack.json("replay", MODEL, "--from", FROM, "--to", TO)
    return played


@pytest.fixture
def store(stack: Stack, replayed: dict[str, Any]) -> Iterator[sa.Connection]:
    engine = create_engine(stack.settings.database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def dagster(stack: Stack, replayed: dict[str, Any]) -> Iterator[Dagster]:
    client = Dagster(stack.settings.dagster)
    yield client
    client.close()


def test_every_answer_is_stored_once_with_its_outcome(replayed: dict[str, Any], store: sa.Connection) -> None:
    assert (replayed["answered"], replayed["failed"], replayed["degraded"]) == (WEEKS * 7 * 48, 0, 0)
    champions = sa.select(sa.func.count(sa.distinct(predictions.c.request_id))).where(predictions.c.role == "champion")
    assert store.execute(champions).scalar() == replayed["answered"]
    assert store.execute(sa.select(sa.func.count()).select_from(outcomes)).scalar() == replayed["outcomes"]


def test_every_window_was_closed_judged_and_decided_with_a_reason(store: sa.Connection) -> None:
    closed = store.execute(sa.select(windows.c.end).order_by(windows.c.end)).scalars().all()
    assert len(closed) == WEEKS - 1, "the last ends with the replay and closes with the next request"
    told = store.execute(sa.select(decisions).order_by(decisions.c.at)).mappings().all()
    assert [decision["at"] for decision in told] == closed
    assert all(decision["reason"] for decision in told)


def test_the_extension_of_the_market_is_noticed_in_its_own_week(stack: Stack, store: sa.Connection) -> None:
    drift = sa.select(evidence).where(evidence.c.kind == "drift").order_by(evidence.c.window_end)
    by_start = {f"{row['window_start']:%Y-%m-%d}": row for row in store.execute(drift).mappings()}
    alarm = by_start["1997-04-30"]
    assert alarm["verdict"] == "alarm"
    moved = {column["column"] for column in alarm["detail"]["columns"] if column["drifted"]}
    assert {"neighbour_price", "neighbour_demand", "transfer"} <= moved
    report = httpx.get(f"{stack.settings.serving}/reports/{alarm['detail']['html']}", trust_env=False)
    assert (report.status_code, "neighbour_price" in report.text) == (200, True)


def test_a_retraining_for_drift_was_launched_once_and_carried_out(store: sa.Connection, dagster: Dagster) -> None:
    requested = store.execute(sa.select(retrain_requests).where(retrain_requests.c.cause == "drift")).mappings().all()
    assert requested
    runs = [run["tags"].get("dagster/run_key") for run in dagster.runs()]
    for request in requested:
        assert request["status"] in ("promoted", "rejected", "inconclusive")
        assert runs.count(f"{request['id']}:1") == 1
    assert {run["status"] for run in dagster.runs()} == {"SUCCESS"}


def test_a_retraining_that_drift_caused_was_promoted_and_serves(stack: Stack, store: sa.Connection) -> None:
    promoted = sa.select(ledger).where(ledger.c.action == "promoted").order_by(ledger.c.id)
    rows = store.execute(promoted).mappings().all()
    assert "drift" in [row["cause"] for row in rows]
    live = httpx.get(f"{stack.settings.serving}/v2/models/{MODEL}", trust_env=False).json()
    assert live["roles"]["champion"] == rows[-1]["to_version"]


def test_the_run_in_mlflow_says_what_it_was_made_of(stack: Stack) -> None:
    url = f"{stack.settings.mlflow}/api/2.0/mlflow"
    version = httpx.get(f"{url}/registered-models/alias", params={"name": MODEL, "alias": "champion"}, trust_env=False)
    run = version.json()["model_version"]["run_id"]
    data = httpx.get(f"{url}/runs/get", params={"run_id": run}, trust_env=False).json()["run"]
    tags = {tag["key"]: tag["value"] for tag in data["data"]["tags"]}
    assert {"everfit.data_version", "everfit.code_version", "everfit.cause", "dagster_run_id"} <= tags.keys()
    assert "gradient_boosting.seed" in {parameter["key"] for parameter in data["data"]["params"]}
    assert "gradient_boosting.log_loss" in {metric["key"] for metric in data["data"]["metrics"]}
    assert data["info"]["status"] == "FINISHED"


def test_the_evidence_shows_as_checks_on_the_champion(dagster: Dagster) -> None:
    for kind in ("quality", "drift", "performance", "freshness"):  # the sensor tells what a tick has judged at that tick's end
        wait_until(
            partial(dagster.checks, [MODEL, "champion"], kind),
            lambda shown: len(shown) >= WEEKS - 1,
            f"the verdicts of {kind}",
            stall_seconds=180,
        )
    drift = [one["evaluation"] for one in dagster.checks([MODEL, "champion"], "drift")]
    assert "ERROR" in {one["severity"] for one in drift if not one["success"]}, "an alarm fails"
    unjudged = [one for one in drift if one["description"].startswith("not judged")]
    assert not any(one["success"] for one in unjudged), "what could not be judged has not passed"
    assert True in [one["evaluation"]["success"] for one in dagster.checks([MODEL, "champion"], "freshness")]


@pytest.mark.parametrize("stage", STAGES[:2])
def test_a_day_is_materialized_alone(dagster: Dagster, stage: str) -> None:
    assert dagster.materialize([MODEL, stage], partition="1997-05-04") == "SUCCESS"


@pytest.mark.parametrize("stage", STAGES[2:5])
def test_a_stage_is_materialized_alone(dagster: Dagster, stage: str) -> None:
    assert dagster.materialize([MODEL, stage]) == "SUCCESS"


def test_all_stages_are_materialized_with_their_upstreams(dagster: Dagster) -> None:
    assert dagster.materialize(*([MODEL, stage] for stage in STAGES), partition="1997-05-05") == "SUCCESS"


def test_a_repeat_of_the_replay_doubles_nothing(stack: Stack, replayed: dict[str, Any], store: sa.Connection) -> None:
    again = stack.json("replay", MODEL, "--from", FROM, "--to", TO)
    assert again["answered"] == replayed["answered"]


def test_a_range_before_the_go_live_or_without_a_model_is_refused_in_one_line(stack: Stack) -> None:
    for arguments in (
        ["replay", MODEL, "--from", "1996-01-01", "--to", "1997-01-01"],
        ["replay", MODEL, "--from", TO, "--to", FROM],
        ["replay", "unheard_of", "--from", FROM, "--to", TO],
        ["replay", MODEL, "--from", "yesterday", "--to", TO],
        ["train", "unheard_of"],
    ):
        refused = stack.run(*arguments)
        assert refused.returncode != 0
        assert refused.stderr.startswith("error: ")
        assert "Traceback" not in refused.stderr


def test_after_down_and_up_the_log_began_again_and_nothing_is_lost(stack: Stack, store: sa.Connection) -> None:
    answered = sa.select(sa.func.count()).where(predictions.c.role == "champion")
    before = store.execute(answered).scalar_one()
    store.rollback()
    assert stack.run("down").returncode == 0
    assert stack.run("up").returncode == 0
    extended = stack.json("replay", MODEL, "--from", FROM, "--to", "1997-06-05")
    engine = create_engine(stack.settings.database_url)
    with engine.connect() as connection:
        after = connection.execute(answered).scalar_one()
        assert connection.execute(sa.select(sa.func.max(consumer_offsets.c.restarts))).scalar() == 1
    engine.dispose()
    assert after == before + 48
    assert extended["answered"] == before + 48
