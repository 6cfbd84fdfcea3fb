"""An embedded stack of its own for a benchmark, with a bare code location beside everfit's under the same daemon."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from everfit.deployment import Deployment
from everfit.embedded import health, ports
from everfit.embedded.stack import Stack
from everfit.orchestrator import ENDED, Orchestrator
from everfit.waiting import wait_until

PROJECT = Path(__file__).parents[1]
_TIMES = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { creationTime startTime endTime status } } }"


@dataclass(slots=True)
class Instance:
    """A running stack."""

    deployment: Deployment
    dagster: Orchestrator

    def seconds(self, run: str) -> tuple[float, float]:
        """Unix times of a run's creation and end, as Dagster recorded them, once it has succeeded."""
        wait_until(lambda: self.dagster.statuses([run])[run], ENDED.__contains__, f"run {run}.", stall_seconds=300)
        told = self.dagster.ask(_TIMES, id=run)["runOrError"]
        if told["status"] != "SUCCESS":
            raise RuntimeError(f"run {run} is {told['status']}")
        return told["creationTime"], told["endTime"]


@contextmanager
def running(home: Path, models: str) -> Iterator[Instance]:
    """Everything up, and ``benchmarks._bare_location`` loaded as the location ``bare``; nothing is left afterwards."""
    os.environ |= {"EVERFIT_HOME": str(home), "EVERFIT_MODELS": models, "PYTHONPATH": str(PROJECT)}
    environ = {variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}
    stack = Stack(home, PROJECT, environ=environ, say=lambda line: print(line, file=sys.stderr))
    try:
        stack.up()
        with ExitStack() as opened:
            deployment = opened.enter_context(closing(Deployment.load()))
            dagster = opened.enter_context(closing(Orchestrator(deployment.settings.dagster)))
            opened.enter_context(_bare(home, dagster))
            yield Instance(deployment, dagster)
    finally:
        stack.down()


@contextmanager
def _bare(home: Path, dagster: Orchestrator) -> Iterator[None]:
    """Serve the bare location, and wait until webserver and daemon have it."""
    port = ports.any_free()
    command = [sys.executable, "-m", "dagster", "api", "grpc", "-m", "benchmarks._bare_location", "--location-name", "bare"]
    environ = os.environ | {"DAGSTER_HOME": str(home / "dagster"), "DAGSTER_DISABLE_TELEMETRY": "1"}
    with subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], env=environ) as server:
        try:
            wait_until(lambda: health.grpc(f"127.0.0.1:{port}", "DagsterApi"), bool, "the bare location.", stall_seconds=120)
            file = home / "dagster" / "workspace.yaml"
            workspace = json.loads(file.read_text())
            workspace["load_from"].append({"grpc_server": {"host": "127.0.0.1", "port": port, "location_name": "bare"}})
            file.write_text(json.dumps(workspace))
            dagster.ask("mutation { reloadWorkspace { __typename } }")
            time.sleep(75)  # the daemon looks at its workspace once a minute, and tells nobody
            yield
        finally:
            server.terminate()
