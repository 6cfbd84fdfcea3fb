"""A canary whose process dies: it answers half of the requests, and is killed as soon as it is there.

The champion answers in its place, and the canary is rejected by itself.
"""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from everfit.declaration.rollouts import Canary
from everfit.drills.catalogue import Announce, Order
from everfit.drills.failing_version import await_end, report
from everfit.drills.guarantee_report import Report
from everfit.drills.live_model import as_recorded, days_of, declared, go_live
from everfit.training.native_process import WORKER
from everfit.training.sklearn_recipe import Sklearn

WITHIN_DAYS = 14
EVERY_SECONDS = 0.05


def native() -> Any:
    """An estimator that answers from a process of its own."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(make_column_transformer((SimpleImputer(), ["measure_00"])), LogisticRegression(C=100.0))


def run(order: Order, announce: Announce) -> Report:
    """Let a canary begin, kill its process whenever it has one, and play until it is rejected."""
    with go_live(order, declared([Canary(steps=[50], each=f"{WITHIN_DAYS}d", unit="hour")])) as live:
        days = days_of(order)
        live.play(as_recorded, days=days)
        live.model = declared(live.model.rollout, candidates=[Sklearn("native", native, native=[])])
        concluded = live.retrain()
        announce(f"the gate: {concluded.reason}")
        rollout = live.rollout()
        if rollout is None:
            return report("bad-canary", ["no canary began, so this run shows nothing"], live, 0)
        did = [f"killed the process of version {rollout.version} whenever it had one, while it answered half of the requests"]
        with _killing() as killed:
            ended = await_end(live, as_recorded, WITHIN_DAYS, announce)
        made = report("bad-canary", did, live, ended)
        made.counts["kills"] = len(killed)
        return made


@contextmanager
def _killing() -> Iterator[list[int]]:
    """Kill every process of a native version that this process starts; gives the ids of the killed."""
    stop, killed = threading.Event(), list[int]()

    def kill() -> None:
        while not stop.wait(EVERY_SECONDS):
            for child in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if WORKER in child.cmdline():
                        child.kill()
                        killed.append(child.pid)

    thread = threading.Thread(target=kill, name="killer")
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()
