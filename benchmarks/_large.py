"""A training on many rows beside ``pl.read_parquet`` and the bare fit of scikit-learn on the same rows and one thread.

Both run in a process of their own. The memory is the largest proportional set of the training's processes, less what they held
before the rows were read; pages that processes share count once.
"""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

from everfit import BinaryClassification, DriftPolicy, FreshnessPolicy, Gate, GradientBoosting, Model, Number, Source, Time
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID
from everfit.environment.settings import Settings
from everfit.runtime import Runtime
from everfit.stack.postgres import Postgres
from everfit.store.database import create_engine, migrate
from everfit.store.lake import Lake

ROWS, FEATURES = 2_000_000, [f"number_{at}" for at in range(20)]
LIVE = datetime(2024, 1, 1, tzinfo=UTC)
LOOK_SECONDS = 0.1


def events(events: Any) -> Any:
    """The history of the declaration; nothing reads it."""
    return events


MODEL = Model(
    name="large",
    task=BinaryClassification(label="up"),
    entity="number_0",
    event_time="at",
    go_live=LIVE,
    sources=[Source(name="events", columns=[Time("at"), *map(Number, FEATURES)], identity=["at"], event_time="at")],
    request=[*map(Number, FEATURES)],
    history=events,
    candidates=[GradientBoosting()],
    gate=Gate(backtest="7d", folds=1, min_unseen_days=7),  # its days hold no rows: there are no folds
    drift=DriftPolicy(window="7d"),
    freshness=FreshnessPolicy(max_training_age="28d"),
)
CUTOFF = LIVE - timedelta(days=1)


def measure() -> dict[str, float]:
    """``large_memory_ratio`` and ``large_time_ratio``."""
    with tempfile.TemporaryDirectory(prefix="everfit-large-") as folder:
        home = Path(folder).resolve()
        server = Postgres(home / "postgres")
        try:
            server.start()
            server.create_databases(["large"])
            migrate(create_engine(server.url("large")))
            digest = rows(Lake(home / "lake"))
            bare = _measured(_bare, Lake(home / "lake").path(digest, "parquet"))
            ours = _measured(_trained, server.url("large"), home, digest)
        finally:
            server.stop()
    return {
        "large_memory_ratio": ours["bytes"] / (ROWS * len(FEATURES) * 8),
        "large_time_ratio": ours["seconds"] / bare["seconds"],
    }


def rows(lake: Lake) -> str:
    """Half a year of rows with a label that three features say something about; the name of their object."""
    draw = np.random.default_rng(0)
    values = {name: draw.normal(size=ROWS) for name in FEATURES}
    raw = values["number_0"] + values["number_1"] * values["number_2"]
    step = timedelta(days=180) / ROWS
    begin = np.datetime64((CUTOFF - timedelta(days=190)).replace(tzinfo=None), "us")
    times = pl.Series(begin + np.arange(ROWS) * np.timedelta64(step)).dt.replace_time_zone("UTC")
    frame = pl.DataFrame({REQUEST_ID: [f"request-{at}" for at in range(ROWS)], EVENT_TIME: times, OBSERVED_AT: times} | values)
    return lake.put_frame(frame.with_columns(pl.Series(LABEL, (draw.logistic(size=ROWS) < raw).astype(float))))


def _measured(work: Callable[..., None], *arguments: Any) -> dict[str, float]:
    """Seconds, and the largest memory of a process of its own and its children while it works, in bytes."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=work, args=(theirs, *arguments))
    process.start()
    theirs.close()
    ours.recv()  # it has imported what it needs
    assert process.pid is not None
    held, watch = _bytes(process.pid), _Peak(process.pid)
    ours.send("begin")
    seconds = ours.recv()
    peak = watch.end()
    process.join()
    assert process.exitcode == 0
    return {"seconds": seconds, "bytes": peak - held}


def _bare(connection: Any, file: Path) -> None:
    """Read the Parquet file, and fit on its columns."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    recipe = GradientBoosting()
    connection.send("ready")
    connection.recv()
    began = time.perf_counter()
    frame = pl.read_parquet(file)
    estimator = HistGradientBoostingClassifier(
        max_iter=recipe.trees,
        max_leaf_nodes=recipe.leaves,
        learning_rate=recipe.learning_rate,
        min_samples_leaf=recipe.min_leaf_rows,
        early_stopping=False,
    )
    with threadpool_limits(1, user_api="openmp"):
        estimator.fit(frame.select(FEATURES).to_numpy(), frame[LABEL].to_numpy())
    connection.send(time.perf_counter() - began)


def _trained(connection: Any, url: str, home: Path, digest: str) -> None:
    """The stage ``trained_model``, on a training set that is there."""
    import onnxruntime  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.ensemble  # noqa: F401 - imports are no part of a training's memory

    from everfit.pipeline import training
    from everfit.training import fit_pool
    from tests.versions import training_set

    given = training_set(MODEL, cutoff=CUTOFF, cause="bootstrap", reason="the first", rows_hash=digest, rows=ROWS)
    with Runtime(Settings(home, url, "", "", "", "", home / "lake"), {MODEL.name: MODEL}) as runtime:
        with fit_pool.FitPool(MODEL.candidates, MODEL.training):  # so has the process whose forks the fits are
            time.sleep(10)
        connection.send("ready")
        connection.recv()
        began = time.perf_counter()
        trained = training.train(runtime, MODEL, given, "")
        connection.send(time.perf_counter() - began)
    assert [candidate.refused for candidate in trained.candidates] == [None], trained


class _Peak:
    """Looks at the memory of a process and its children until it ends."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look)
        self._looking.start()

    def end(self) -> int:
        """The largest that was seen, in bytes."""
        self._over.set()
        self._looking.join()
        return self._peak

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._peak = max(self._peak, _bytes(self._pid))


def _bytes(pid: int) -> int:
    """The proportional set of a process and its children."""
    total = 0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += int(process.memory_full_info().pss)
    return total
