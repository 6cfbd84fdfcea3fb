"""An embedded stack of its own for a benchmark of runs, and a bare Dagster beside it on the same Postgres."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._starting import bare_dagster
from everfit.dagster_api.runs import ENDED, Orchestrator
from everfit.runtime import Runtime
from everfit.stack import ports
from everfit.stack.supervisor import Stack
from everfit.waiting import wait_until

PROJECT = Path(__file__).parents[1]
_TIMES = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { creationTime endTime status } } }"


@dataclass(slots=True)
class Instance:
    """A running stack, its Dagster, and the bare one."""

    runtime: Runtime
    dagster: Orchestrator
    bare: Orchestrator


@contextmanager
def running(folder: Path, models: str, bare_definitions: str) -> Iterator[Instance]:
    """As much of everfit as a run of its days needs, at its shipped settings; nothing is left afterwards."""
    home, nobody = folder / "everfit", "http://127.0.0.1:1"
    free = {variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}
    os.environ |= {"EVERFIT_AUTOMATION": "off", "MLFLOW_TRACKING_URI": nobody, "EVERFIT_SERVING_URL": nobody}
    os.environ |= {"EVERFIT_HOME": str(home), "EVERFIT_MODELS": models, "PYTHONPATH": str(PROJECT)}
    names = ("postgres", "broker", "code", "dagster", "daemon")
    stack = Stack(home, PROJECT, names=names, environ={**os.environ, **free})
    with ExitStack() as opened:
        opened.callback(stack.down)
        stack.up()
        runtime = opened.enter_context(Runtime.load())
        dagster = opened.enter_context(closing(Orchestrator(runtime.settings.dagster)))
        url = opened.enter_context(bare_dagster(folder, stack, bare_definitions))
        yield Instance(runtime, dagster, opened.enter_context(closing(Orchestrator(url))))


def seconds(dagster: Orchestrator, run: str) -> float:
    """From a run's creation to its end, as Dagster recorded them, once it has succeeded."""
    wait_until(lambda: dagster.statuses([run])[run], ENDED.__contains__, f"run {run}.", stall_seconds=300)
    times = dagster.execute(_TIMES, id=run)["runOrError"]
    if times["status"] != "SUCCESS":
        raise RuntimeError(f"run {run} is {times['status']}")
    return float(times["endTime"] - times["creationTime"])
