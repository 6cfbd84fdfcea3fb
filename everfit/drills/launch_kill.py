"""Kill Dagster's daemon or code server between a request's commit, its run's reservation, creation and start.

The drill has a stack of its own. For each request one of the two is killed, then the stack is started again. There is no
MLflow: every run ends without a verdict, so that each request is attempted as often as its model declares.
"""

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from everfit.drills.catalogue import Announce, Order
from everfit.drills.guarantee_report import Report
from everfit.drills.models.drill import drill
from everfit.environment.settings import VARIABLES, Settings
from everfit.replay.bootstrap import bootstrap
from everfit.runtime import Runtime
from everfit.stack import ports
from everfit.stack.services import POSTGRES
from everfit.stack.starter import leader
from everfit.stack.supervisor import Stack
from everfit.store import requests
from everfit.store.requests import RetrainRequest
from everfit.timing import wall_clock
from everfit.waiting import wait_until

SERVICES = (POSTGRES, "broker", "code", "dagster", "daemon")
NOWHERE = "http://127.0.0.1:1"
KILLED = ("daemon", "code")
AIM_SECONDS = 20.0
MOMENT_SECONDS = 6.0  # a turn of the daemon's loop and a tick
END_SECONDS = 180.0

# The stages of a request's launch: a query that returns a row in Dagster's database means that the stage is reached.
STAGES = {
    "after its commit": "SELECT 1",
    "while a tick had reserved its run": (
        "SELECT 1 FROM job_ticks WHERE status = 'STARTED' AND tick_body LIKE '%%reserved_run_ids%%' AND tick_body LIKE %(like)s"
    ),
    "when its run was created": "SELECT 1 FROM run_tags WHERE key = 'dagster/run_key' AND value LIKE %(like)s",
    "when its run was starting": (
        "SELECT 1 FROM runs JOIN run_tags USING (run_id) WHERE key = 'dagster/run_key' AND value LIKE %(like)s "
        "AND status IN ('STARTING', 'STARTED')"
    ),
}


def run(order: Order, announce: Announce) -> Report:
    """Kill once per request; when all requests have ended, every attempt must have exactly one run."""
    draw, aimed = order.random, Counter[str]()
    with _stack(order) as (stack, runtime):
        for number in range(order.kills):
            request = _request_retraining(runtime, number)
            stage = draw.choice(list(STAGES))
            if not _await_stage(stack, request, stage):
                stage = "at any stage of its launch"
            elif stage == "after its commit":
                time.sleep(draw.uniform(0, MOMENT_SECONDS))
            aimed[stage] += 1
            _kill(stack, draw)
            stack.up()
            announce(f"kill {number + 1} of {order.kills}, {stage}")
        _await_ends(runtime)
        did = [f"killed Dagster's daemon or code server {times} times {stage}" for stage, times in aimed.items()]
        return _check_runs(did, runtime, _runs(stack))


@contextmanager
def _stack(order: Order) -> Iterator[tuple[Stack, Runtime]]:
    """A stack without MLflow and serving, with the drill's rows landed."""
    folder = Path(tempfile.mkdtemp(prefix="everfit-drill-"))
    own = {
        "EVERFIT_HOME": str(folder),
        "EVERFIT_MODELS": "everfit.drills.models",
        "MLFLOW_TRACKING_URI": NOWHERE,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "EVERFIT_SERVING_URL": NOWHERE,
        **{variable: str(ports.any_free()) for variable in ports.VARIABLES.values()},
    }
    before = dict(os.environ)
    for variable in VARIABLES.values():
        os.environ.pop(variable, None)  # addresses of a user's stack: the drill breaks only its own
    os.environ.update(own)
    stack = Stack(folder, names=SERVICES, broker=order.broker)
    try:
        stack.up()
        with Runtime(Settings.load()) as runtime:
            bootstrap(runtime, drill)
            yield stack, runtime
    finally:
        stack.down()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def _request_retraining(runtime: Runtime, number: int) -> RetrainRequest:
    """Write a request as the policy would."""
    name = f"drill{number:011}"
    request = RetrainRequest(name, drill.name, "person", "a drill", None, drill.go_live, wall_clock())
    with runtime.engine.begin() as connection:
        requests.add(connection, request)
    return request


def _await_stage(stack: Stack, request: RetrainRequest, stage: str) -> bool:
    """Return as soon as the request's launch has reached the stage; False where it does not in time."""
    deadline = time.monotonic() + AIM_SECONDS
    with _dagster(stack) as connection:
        while time.monotonic() < deadline:
            if connection.execute(STAGES[stage], {"like": f"%{request.id}%"}).fetchone():
                return True
    return False


def _kill(stack: Stack, draw: random.Random) -> None:
    process = leader(stack.home, draw.choice(KILLED))
    if process:
        process.process.kill()


def _await_ends(runtime: Runtime) -> None:
    def states() -> list[tuple[str, str, int]]:
        with runtime.engine.connect() as connection:
            return [(request.id, request.status, request.attempt) for request in requests.of_model(connection, drill.name)]

    def ended(keys_at_fault: list[tuple[str, str, int]]) -> bool:
        return all(status not in requests.OPEN for _, status, _ in keys_at_fault)

    wait_until(states, ended, "every request to end;", stall_seconds=END_SECONDS)


def _runs(stack: Stack) -> Counter[str]:
    """Number of runs in Dagster by run key."""
    with _dagster(stack) as connection:
        return Counter(str(key) for (key,) in connection.execute("SELECT value FROM run_tags WHERE key = 'dagster/run_key'"))


def _dagster(stack: Stack) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(host=str(stack.postgres.data), user="postgres", dbname="dagster", autocommit=True)


def _check_runs(did: list[str], runtime: Runtime, runs: Counter[str]) -> Report:
    with runtime.engine.connect() as connection:
        recorded = requests.of_model(connection, drill.name)
    keys = {f"{request.id}:{attempt}" for request in recorded for attempt in range(1, request.attempt + 1)}
    without = sorted(keys - runs.keys())
    twice = sorted(key for key, count in runs.items() if count > 1)
    unexpected = sorted(runs.keys() - keys)
    counts = {
        "requests": len(recorded),
        "attempts": len(keys),
        "runs": runs.total(),
        "missing": len(without),
        "doubled": len(twice),
    }
    faults = {"without a run": without, "with two runs": twice, "with a run of no request": unexpected}
    wrong = [f"attempts {what}: {', '.join(keys_at_fault)}" for what, keys_at_fault in faults.items() if keys_at_fault]
    return Report("launch-kill", did, counts, wrong)
