"""Seconds from the command ``everfit rollback`` to serving's first answer by the old version, on the embedded stack.

The command is a process of its own, as a person starts it, so that its imports count; serving is asked all the while.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from everfit.pipeline.manual_promotion import adopt
from everfit.pipeline.retraining import retrain
from everfit.replay.bootstrap import bootstrap
from everfit.replay.serving_client import Answer, ServingClient
from everfit.replay.timeline import Request, timeline
from everfit.runtime import Runtime
from everfit.stack import ports
from everfit.stack.supervisor import Stack
from everfit.waiting import wait_until
from models.electricity_price import electricity_price

ROUNDS = 5
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PARTS = ("postgres", "broker", "mlflow", "serving")
NOBODY = "http://127.0.0.1:1"  # no Dagster is needed to roll back
PROJECT = Path(__file__).parents[1]


def rollbacks() -> list[float]:
    """The seconds of some rounds: version 2 is promoted and answers, then it is rolled back and version 1 answers."""
    with _two_versions() as runtime, closing(ServingClient(runtime.settings.serving)) as serving:
        request = _request()
        seconds = []
        for number in range(ROUNDS):
            if number:
                adopt(runtime, electricity_price, 2, actor="benchmark", reason="to be rolled back again")
            _await_answer(serving, request, 2)
            began = time.perf_counter()
            arguments = [sys.executable, "-m", "everfit.cli.main", "rollback", electricity_price.name]
            with subprocess.Popen(arguments, stdout=sys.stderr) as command:  # stdout is the benchmark's document alone
                _await_answer(serving, request, 1)
                seconds.append(time.perf_counter() - began)
            assert command.returncode == 0, f"everfit rollback exited with {command.returncode}"
        return seconds


@contextmanager
def _two_versions() -> Iterator[Runtime]:
    """A stack without Dagster, on a home and ports of its own, with a first version that a second has replaced."""
    with tempfile.TemporaryDirectory(prefix="everfit-rollback-") as folder:
        os.environ |= {
            "EVERFIT_HOME": folder,
            "EVERFIT_MODELS": "models",
            "PYTHONPATH": str(PROJECT),
            "EVERFIT_DAGSTER_URL": NOBODY,
        }
        os.environ |= {variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}
        stack = Stack(Path(folder), PROJECT, names=PARTS)
        try:
            stack.up()
            with Runtime.load() as runtime:
                bootstrap(runtime, electricity_price)
                for cutoff in (electricity_price.go_live - DAY, electricity_price.go_live):
                    retrain(runtime, electricity_price, cutoff=cutoff, actor="benchmark")
                yield runtime
        finally:
            stack.down()


def _request() -> Request:
    """The first request after the go-live."""
    played = timeline(electricity_price, electricity_price.go_live, electricity_price.go_live + HOUR)
    return next(request for instant in played for request in instant.requests)


def _await_answer(serving: ServingClient, request: Request, version: int) -> None:
    def answered() -> bool:
        answer = serving.predict(electricity_price.name, request)
        return isinstance(answer, Answer) and answer.version == version

    wait_until(answered, bool, f"version {version} to answer")
