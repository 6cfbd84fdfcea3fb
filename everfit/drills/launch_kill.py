"""Kill what launches, between the request's commit, the tick's end, the daemon's reservation, the run's creation and its start.

Dagster's daemon and code server are killed on a stack of their own, one of them for each request; then the stack is brought up
again. There is no MLflow: every run ends without a verdict, so that each request is tried as often as its model declares.
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
from everfit.drills.declared.drill import drill
from everfit.drills.guarantee_report import Report
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

# How far the launch of a request has come, told from Dagster's tables: each row of a query says that it has come so far.
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
    """One request a kill; when all have ended, every attempt must have exactly one run."""
    draw, aimed = order.random, Counter[str]()
    with _stack(order) as (stack, runtime):
        for number in range(order.kills):
            request = _ask(runtime, number)
            stage = draw.choice(list(STAGES))
            if not _await_stage(stack, request, stage):
                stage = "wherever its launch was"
            elif stage == "after its commit":
                time.sleep(draw.uniform(0, MOMENT_SECONDS))
            aimed[stage] += 1
            _kill(stack, draw)
            stack.up()
            announce(f"kill {number + 1} of {order.kills}, {stage}")
        _await_ends(runtime)
        did = [f"killed Dagster's daemon or code server {times} times {stage}" for stage, times in aimed.items()]
        return _hold(did, runtime, _runs(stack))


@contextmanager
def _stack(order: Order) -> Iterator[tuple[Stack, Runtime]]:
    """A stack without MLflow and serving, on which the drill's rows have landed."""
    folder = Path(tempfile.mkdtemp(prefix="everfit-drill-"))
    own = {
        "EVERFIT_HOME": str(folder),
        "EVERFIT_MODELS": "everfit.drills.declared",
        "MLFLOW_TRACKING_URI": NOWHERE,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "EVERFIT_SERVING_URL": NOWHERE,
        **{variable: str(ports.any_free()) for variable in ports.VARIABLES.values()},
    }
    before = dict(os.environ)
    for variable in VARIABLES.values():
        os.environ.pop(variable, None)  # of a stack that a person has up: the drill breaks none but its own
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


def _ask(runtime: Runtime, number: int) -> RetrainRequest:
    """A request like one that the policy would write."""
    name = f"drill{number:011}"
    request = RetrainRequest(name, drill.name, "person", "a drill", None, drill.go_live, wall_clock())
    with runtime.engine.begin() as connection:
        requests.ask(connection, request)
    return request


def _await_stage(stack: Stack, request: RetrainRequest, stage: str) -> bool:
    """Return as soon as the request's launch has come so far; False where it does not in time."""
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
            return [(one.id, one.status, one.attempt) for one in requests.of_model(connection, drill.name)]

    def ended(found: list[tuple[str, str, int]]) -> bool:
        return all(status not in requests.OPEN for _, status, _ in found)

    wait_until(states, ended, "every request to end;", stall_seconds=END_SECONDS)


def _runs(stack: Stack) -> Counter[str]:
    """How many runs Dagster holds, by run key."""
    with _dagster(stack) as connection:
        return Counter(str(key) for (key,) in connection.execute("SELECT value FROM run_tags WHERE key = 'dagster/run_key'"))


def _dagster(stack: Stack) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(host=str(stack.postgres.data), user="postgres", dbname="dagster", autocommit=True)


def _hold(did: list[str], runtime: Runtime, runs: Counter[str]) -> Report:
    with runtime.engine.connect() as connection:
        asked = requests.of_model(connection, drill.name)
    keys = {f"{one.id}:{attempt}" for one in asked for attempt in range(1, one.attempt + 1)}
    without = sorted(keys - runs.keys())
    twice = sorted(key for key, count in runs.items() if count > 1)
    strangers = sorted(runs.keys() - keys)
    counts = {
        "requests": len(asked),
        "attempts": len(keys),
        "runs": runs.total(),
        "missing": len(without),
        "doubled": len(twice),
    }
    told = {"without a run": without, "with two runs": twice, "with a run that no request asked for": strangers}
    wrong = [f"attempts {what}: {', '.join(found)}" for what, found in told.items() if found]
    return Report("launch-kill", did, counts, wrong)
