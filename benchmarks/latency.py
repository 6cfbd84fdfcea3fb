"""How long from the watermark passing a window's end to the retrain request committed, and to the run started.

Run: ``python benchmarks/latency.py [--json] [--windows 7]``.

It starts a stack of its own, with the daemon at its shipped settings, and the electricity model declared so that every week's
window asks for a retraining. Week after week it sends all but the request that lets the window close, waits until the log is
read and the sensor has come to rest, and some seconds more, drawn anew each time, so that the daemon's loop is met at any
moment of it. The clock starts before that last request is sent, so that serving, Kafka and the sensor's turn are in both times.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from everfit import Model
from everfit.declaration.discovery import find_model
from everfit.pipeline.training_request import await_training, request_training
from everfit.replay.bootstrap import bootstrap
from everfit.replay.lockstep import await_read, await_retraining
from everfit.replay.player import replay
from everfit.replay.serving_client import ServingClient
from everfit.runtime import Runtime
from everfit.stack import ports
from everfit.stack.supervisor import Stack
from everfit.store import requests
from everfit.store.requests import RetrainRequest
from everfit.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[1]
MODEL = "electricity_price"
HALF_HOUR = timedelta(minutes=30)
REST_SECONDS = (3.0, 9.0)  # the linger of a tick and more; the daemon's loop is 5 s
POLL_SECONDS = 0.02

_RUNS = 'query ($key: String!) { runsOrError(filter: {tags: [{key: "dagster/run_key", value: $key}]}) '
_RUNS += "{ ... on Runs { results { startTime } } } }"


@dataclass(frozen=True, slots=True)
class Timed:
    """One window: the seconds to the request committed, and to its run started."""

    window_end: str
    cause: str
    request_seconds: float
    run_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--windows", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="everfit-latency-") as folder, up(Path(folder) / "home") as runtime:
        timed = list(measure(runtime, find_model(runtime.models, MODEL), asked.windows))
    figures = {
        "request_seconds": round(statistics.median(one.request_seconds for one in timed), 2),
        "run_seconds": round(statistics.median(one.run_seconds for one in timed), 2),
    }
    if asked.json:
        print(json.dumps({"figures": figures, "windows": [asdict(one) for one in timed]}))
        return
    print(f"{'window end':<12} {'cause':<10} {'request s':>9} {'run s':>7}")
    for one in timed:
        print(f"{one.window_end:<12} {one.cause:<10} {one.request_seconds:>9.2f} {one.run_seconds:>7.2f}")
    print(f"{'median':<23} {figures['request_seconds']:>9.2f} {figures['run_seconds']:>7.2f}")


@contextmanager
def up(home: Path) -> Iterator[Runtime]:
    """A stack on free ports with a first champion; nothing of it is left afterwards."""
    os.environ |= {"EVERFIT_HOME": str(home), "EVERFIT_MODELS": "benchmarks.declared"}
    os.environ |= {variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}
    sys.path.insert(0, str(PROJECT))
    stack = Stack(home, PROJECT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    try:
        stack.up()
        with Runtime.load() as runtime:
            model = find_model(runtime.models, MODEL)
            bootstrap(runtime, model)
            first = await_training(runtime, request_training(runtime, model).request)
            assert first.status == "promoted", first
            yield runtime
    finally:
        stack.down()


def measure(runtime: Runtime, model: Model, windows: int) -> Iterator[Timed]:
    """One window after the other."""
    draw = random.Random(0)
    with closing(ServingClient(runtime.settings.serving)) as serving:
        await_retraining(runtime.engine, serving, model.name)
        for number in range(1, windows + 1):
            end = model.go_live + number * model.windows.length
            closing_request = end + model.log.lateness
            play(runtime, model, closing_request)
            await_read(runtime.engine, model.name, closing_request - HALF_HOUR, None)
            time.sleep(draw.uniform(*REST_SECONDS))
            began = time.time()
            play(runtime, model, closing_request + HALF_HOUR)
            asked, committed = await_request(runtime, end)
            started = await_start(runtime.settings.dagster, asked)
            yield Timed(f"{end:%Y-%m-%d}", asked.cause, committed - began, started - began)
            await_retraining(runtime.engine, serving, model.name)


def play(runtime: Runtime, model: Model, until: datetime) -> None:
    """Let the world go on to a moment, exclusive."""
    replay(runtime, model, model.go_live, until, free_running=True, listener=lambda _progress, _doing: None)


def await_request(runtime: Runtime, end: datetime) -> tuple[RetrainRequest, float]:
    """The request of the window that ends there, and when it was seen committed."""

    def asked() -> RetrainRequest | None:
        with runtime.engine.connect() as connection:
            found = [one for one in requests.of_model(connection, MODEL) if one.cutoff == end and one.cause != "bootstrap"]
        return found[0] if found else None

    deadline = time.monotonic() + 120
    while (found := asked()) is None:
        assert time.monotonic() < deadline, f"no retraining was asked for on the window that ends {end}"
        time.sleep(POLL_SECONDS)
    return found, time.time()


def await_start(dagster: str, request: RetrainRequest) -> float:
    """When the run of a request began, by Dagster's own record."""

    def start() -> float | None:
        asked = {"query": _RUNS, "variables": {"key": request.run_key}}
        answer = httpx.post(f"{dagster}/graphql", json=asked, timeout=30, trust_env=False).raise_for_status().json()
        runs = answer["data"]["runsOrError"]["results"]
        return runs[0]["startTime"] if runs else None

    return wait_until(start, lambda at: at is not None, f"the run {request.run_key} to start;") or 0.0


if __name__ == "__main__":
    main()
