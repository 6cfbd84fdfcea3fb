"""A retraining of the flights on the embedded stack, from the request to the promotion, beside its bare fits.

The first champion is a single tree, so that whatever is trained four weeks later is promoted. The bare fits are those of the
folds and the final one of each candidate, one after the other in one process, on the same rows and as many threads.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from everfit import Model
from everfit.declaration.discovery import find_model
from everfit.evaluation.folds import folds
from everfit.pipeline import manifests
from everfit.pipeline.backtest import fit_arguments
from everfit.pipeline.manifests import TrainingSet
from everfit.pipeline.manual_promotion import adopt
from everfit.pipeline.training_request import await_training, request_training
from everfit.pipeline.training_set import known_by
from everfit.replay.bootstrap import bootstrap
from everfit.replay.player import replay
from everfit.runtime import Runtime
from everfit.stack import ports
from everfit.stack.supervisor import Stack
from models.flight_delay import flight_delay

PROJECT = Path(__file__).parents[1]
NAME, TREES = "flight_delay", "FLIGHT_TREES"
DECLARED = flight_delay.candidates[0].model_dump()["trees"]
UNSEEN, MORE = timedelta(days=28), timedelta(hours=6)
BARE_SECONDS, LEAST_SECONDS = 75.0, 60.0  # what the bare fits are to take for the ratio, and no less than


def measure() -> dict[str, float]:
    """``overhead_seconds`` with the declared trees; ``overhead_ratio`` with so many that the fits take a minute and more."""
    with tempfile.TemporaryDirectory(prefix="everfit-retraining-") as folder:
        home = Path(folder) / "home"
        os.environ |= {"EVERFIT_HOME": str(home), "EVERFIT_MODELS": "benchmarks.retrained", "PYTHONPATH": str(PROJECT)}
        os.environ |= {variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}
        with _running(home, trees=1) as (runtime, model):
            bootstrap(runtime, model)
            _retrain(runtime, model)
            _play(runtime, model, model.go_live + UNSEEN)
        with _running(home, trees=DECLARED) as (runtime, model):
            seconds, bare = _retrain(runtime, model), _bare_seconds(runtime, model)
            print(f"declared trees: {seconds:.1f} s, bare fits {bare:.1f} s", file=sys.stderr)
            trees = _trees_for(runtime, model, bare)
            adopt(runtime, model, 1, actor="benchmark", reason="the single tree again")
            _play(runtime, model, model.go_live + UNSEEN + MORE)
        with _running(home, trees=trees) as (runtime, model):
            longer, longer_bare = _retrain(runtime, model), _bare_seconds(runtime, model)
            print(f"{trees} trees: {longer:.1f} s, bare fits {longer_bare:.1f} s", file=sys.stderr)
    return {"overhead_seconds": seconds - bare, "overhead_ratio": longer / longer_bare}


def _trees_for(runtime: Runtime, model: Model, seconds: float) -> int:
    """The number of trees with which the bare fits take long enough; those declared take ``seconds``."""
    trees = DECLARED
    while seconds < LEAST_SECONDS:
        trees = round(trees * BARE_SECONDS / seconds)
        os.environ[TREES] = str(trees)
        seconds = _bare_seconds(runtime, model)
    return int(trees)


@contextmanager
def _running(home: Path, *, trees: int) -> Iterator[tuple[Runtime, Model]]:
    """The stack with so many trees declared."""
    os.environ[TREES] = str(trees)
    stack = Stack(home, PROJECT)
    try:
        stack.up()
        with Runtime.load() as runtime:
            yield runtime, find_model(runtime.models, NAME)
    finally:
        stack.down()


def _retrain(runtime: Runtime, model: Model) -> float:
    """Seconds from the request to the promotion."""
    began = time.perf_counter()
    ended = await_training(runtime, request_training(runtime, model).request)
    assert ended.status == "promoted", ended
    return time.perf_counter() - began


def _play(runtime: Runtime, model: Model, until: datetime) -> None:
    """Let the world go on to a moment, exclusive, in lockstep, so that the clock has arrived there."""
    replay(runtime, model, model.go_live, until)


def _bare_seconds(runtime: Runtime, model: Model) -> float:
    """Seconds of the fits that the newest training has made."""
    given, _ = manifests.newest(runtime, model, "training_set", TrainingSet)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(pool.apply(_fit_all, (given.rows_hash, given.cutoff)))


def _fit_all(rows_hash: str, cutoff: datetime) -> float:
    """In a process of its own, which has imported all before."""
    from everfit.training.recipe_fit import fit_recipe

    with Runtime.load() as runtime:
        model = find_model(runtime.models, NAME)
        rows = runtime.lake.get_frame(rows_hash)
    origins = folds(model.gate, cutoff, model.go_live)  # the champion of the first training
    known = [rows, *(rows.filter(*known_by(model, origin.start)) for origin in origins)]
    arguments: dict[str, Any] = fit_arguments(model)
    for recipe in model.candidates:
        fit_recipe(recipe, rows.tail(1_000), **arguments)
    began = time.perf_counter()
    for recipe in model.candidates:
        for given in known:
            fit_recipe(recipe, given, **arguments)
    return time.perf_counter() - began
