"""From a run's creation to its first step: a retraining on the embedded stack, and a bare asset job on Dagster's own defaults.

Both have a daemon, a webserver, a code server and a queue of the same settings, on one Postgres; launches take turns.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from everfit.dagster_api.names import days_name
from everfit.stack import health, ports
from everfit.stack.dagster_home import write_dagster_home
from everfit.stack.supervisor import Stack
from everfit.waiting import wait_until

ROUNDS = 5
STAGES = ("raw_data", "features", "training_set", "trained_model", "evaluation", "champion")
MODEL, DAY = "electricity_price", "1996-05-08"
_BARE = """
import dagster as dg

@dg.asset
def bare() -> None: ...

defs = dg.Definitions(assets=[bare], executor=dg.in_process_executor)
"""
_LAUNCH = """mutation ($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_RUN = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status creationTime stepStats { startTime } } } }"
_ADD_DAY = """mutation ($day: String!, $name: String!) { addDynamicPartition(
  partitionKey: $day, partitionsDefName: $name,
  repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "everfit"}) { __typename } }"""


def measure() -> dict[str, float]:
    """``first_step_ratio``: medians of both, after one launch of each that is not counted."""
    with tempfile.TemporaryDirectory() as folder, _everfit(Path(folder)) as stack, bare_dagster(Path(folder), stack) as other:
        ours = f"http://127.0.0.1:{_port(stack, 'dagster')}"
        _ask(ours, _ADD_DAY, day=DAY, name=days_name(MODEL))
        rounds = [(_seconds(ours, _retraining()), _seconds(other, [["bare"]])) for _ in range(ROUNDS + 1)][1:]
    own, bare = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {"first_step_ratio": own / bare}


def _retraining() -> list[list[str]]:
    return [[MODEL, stage] for stage in STAGES]


def _seconds(webserver: str, assets: list[list[str]]) -> float:
    """From the run's creation to the start of its first step, by Dagster's own clock."""
    selector = {
        "repositoryLocationName": "everfit",
        "repositoryName": "__repository__",
        "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": path} for path in assets],
        "assetCheckSelection": [],
    }
    tags = [{"key": "dagster/partition", "value": DAY}] if len(assets) > 1 else []
    parameters = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}, "mode": "default"}
    launched = _ask(webserver, _LAUNCH, parameters=parameters)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]

    def look() -> dict[str, Any]:
        found: dict[str, Any] = _ask(webserver, _RUN, id=run)["runOrError"]
        return found

    ended = wait_until(look, lambda found: found["status"] in ("SUCCESS", "FAILURE"), "a run to end")
    assert ended["stepStats"], f"a run at {webserver} ended without a step: {ended}"
    return float(min(step["startTime"] for step in ended["stepStats"]) - ended["creationTime"])


def _ask(webserver: str, query: str, **variables: Any) -> Any:
    body = {"query": query, "variables": variables}
    answer = httpx.post(f"{webserver}/graphql", json=body, timeout=60.0, trust_env=False).raise_for_status().json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def _port(stack: Stack, name: str) -> int:
    return int(stack.environ[ports.VARIABLES[name]])


@contextmanager
def _everfit(folder: Path) -> Iterator[Stack]:
    """The embedded stack as far as a run needs it; its run ends at the first step, because nothing has landed."""
    free = {variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}
    nobody = "http://127.0.0.1:1"
    os.environ |= {"EVERFIT_AUTOMATION": "off", "MLFLOW_TRACKING_URI": nobody, "EVERFIT_SERVING_URL": nobody}
    names = ("postgres", "broker", "code", "dagster", "daemon")
    stack = Stack(folder / "everfit", names=names, environ={**os.environ, **free})
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


@contextmanager
def bare_dagster(folder: Path, stack: Stack, definitions: str = _BARE) -> Iterator[str]:
    """Dagster with definitions of its own, started as its documentation says; the address of its webserver."""
    home, code, web = folder / "bare", ports.any_free(), ports.any_free()
    stack.postgres.create_databases(["bare"])
    url = stack.postgres.url("bare", "psycopg2") + "&options=-csynchronous_commit%3Doff"  # as the embedded stack's own
    dagster = write_dagster_home(home, url, code)
    told = json.loads((dagster / "dagster.yaml").read_text())
    del told["run_launcher"]  # Dagster's own
    (dagster / "dagster.yaml").write_text(json.dumps(told))
    (home / "bare.py").write_text(definitions)
    workspace = str(dagster / "workspace.yaml")
    commands = [
        ["dagster", "api", "grpc", "-f", str(home / "bare.py"), "--location-name", "everfit", "--port", str(code)],
        ["dagster_webserver", "--host", "127.0.0.1", "--port", str(web), "--workspace", workspace],
        ["dagster._daemon", "run", "--workspace", workspace],
    ]
    environment = {**os.environ, "DAGSTER_HOME": str(dagster)}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (home / f"{number}.log").open("wb") as log:
                started.append(subprocess.Popen([sys.executable, "-m", *command], env=environment, stdout=log, stderr=log))
            if number == 0:
                wait_until(lambda: health.grpc(f"127.0.0.1:{code}", "DagsterApi"), bool, "the bare code server")
        began = time.time()
        wait_until(lambda: health.http(f"http://127.0.0.1:{web}/server_info"), bool, "the bare webserver")
        wait_until(lambda: health.daemon(f"http://127.0.0.1:{web}", began), bool, "the bare daemon")
        yield f"http://127.0.0.1:{web}"
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()
