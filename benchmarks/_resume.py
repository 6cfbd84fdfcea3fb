"""What a fit of TorchMLP repeats that was killed half way: its process gets SIGKILL, and another goes on in its folder."""

import mmap
import multiprocessing
import signal
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit import BinaryClassification, FitContext, TorchMLP

ROWS, NUMBERS = 200_000, [f"number_{at}" for at in range(10)]
INTERVAL_SECONDS = 2.0
RECIPE = TorchMLP(epochs=40, checkpoint_seconds=INTERVAL_SECONDS)
STEPS = struct.Struct("qqd")  # the first step of an attempt, its last, and the seconds between them


def measure() -> dict[str, float]:
    """``resume_lost_ratio``: seconds of fitting that are repeated / the interval between checkpoints.

    The fit that goes on must end with the bits of one that was not killed.
    """
    with tempfile.TemporaryDirectory(prefix="everfit-resume-") as folder:
        whole, resumed = Path(folder) / "whole", Path(folder) / "resumed"
        _, steps, seconds = _fit(whole)
        _, killed_after, _ = _fit(resumed, kill_after=steps // 2)
        first, last, _ = _fit(resumed)
        assert (killed_after < steps, last) == (True, steps)
        assert (whole / "weights").read_bytes() == (resumed / "weights").read_bytes(), "the same bits"
    repeated = killed_after - first + 1
    assert 0 <= repeated < steps // 2, "it goes on from a checkpoint"
    return {"resume_lost_ratio": repeated * seconds / steps / INTERVAL_SECONDS}


def _fit(folder: Path, kill_after: int | None = None) -> tuple[int, int, float]:
    """Fit in a process of its own, which is killed after a step; the attempt's first and last step, and its seconds."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "steps").write_bytes(STEPS.pack(0, 0, 0.0))
    process = multiprocessing.get_context("spawn").Process(target=_fitting, args=(folder,))
    process.start()
    while process.is_alive():
        process.join(0.001)
        if kill_after is not None and _steps(folder)[1] >= kill_after:
            process.kill()
            process.join()
    assert process.exitcode == (0 if kill_after is None else -signal.SIGKILL)
    return _steps(folder)


def _steps(folder: Path) -> tuple[int, int, float]:
    first, last, seconds = STEPS.unpack((folder / "steps").read_bytes())
    return first, last, seconds


def _fitting(folder: Path) -> None:
    """The fit; each step is written where it outlives the process."""
    draw = np.random.default_rng(0)
    rows = pl.DataFrame({name: draw.normal(size=ROWS) for name in NUMBERS})
    labels = (draw.logistic(size=ROWS) < rows["number_0"].to_numpy()).astype(float)
    with (folder / "steps").open("r+b") as file, mmap.mmap(file.fileno(), STEPS.size) as steps:
        began: list[tuple[int, float]] = []

        def report(step: int, of: int, loss: float | None = None) -> None:  # noqa: ARG001
            if not began:
                began.append((step, time.perf_counter()))
            STEPS.pack_into(steps, 0, began[0][0], step, time.perf_counter() - began[0][1])

        features: Any = [(name, "number") for name in NUMBERS]
        task = BinaryClassification(label="up")
        checkpoints = folder / "checkpoints"
        context = FitContext(task, features, labels, seed=0, checkpoints=checkpoints, report=report)
        fitted = RECIPE.fit(rows, context)
        (folder / "weights").write_bytes(b"".join(each.numpy().tobytes() for each in fitted.network.state_dict().values()))
