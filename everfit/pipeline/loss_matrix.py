"""The losses of a model's recipe, fitted at the start of every window on what was known by then, on all days that followed."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import numpy.typing as npt

from everfit.declaration import DriftPolicy, Gate, Model, Recipe
from everfit.declaration.metrics import OwnLoss, RowMetric
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT
from everfit.declaration.tasks import Floats
from everfit.errors import SimulationError
from everfit.evidence.regret import windows_behind
from everfit.pipeline.code_versions import stage_version
from everfit.pipeline.training_set import known_by
from everfit.policy.losses import DAY, Losses
from everfit.store.fit_cache import FitCache
from everfit.timing import format_time
from everfit.training.fit_pool import FitPool

if TYPE_CHECKING:
    import polars as pl

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of a fit: as many fits run as there are cores


class Lost(msgspec.Struct, frozen=True):
    """What one model lost on each day of a span, on all rows and on those that are due in time, and the seconds of its fit."""

    sums: list[float]
    due_sums: list[float]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Scored:
    """The rows of a span in event order, the day of each counted from its first, and whether its label is due in time."""

    rows: "pl.DataFrame"
    day: npt.NDArray[np.intp]
    is_due: npt.NDArray[np.bool_]
    days: int

    def by_day(self, values: Floats, first_row: int = 0, *, due: bool = False) -> Floats:
        """Values of the rows from one on, added up by day."""
        counted = values * self.is_due[first_row:] if due else values
        return cast("Floats", np.bincount(self.day[first_row:], weights=counted, minlength=self.days))


def loss_matrix(
    model: Model,
    recipe: Recipe,
    rows: "pl.DataFrame",
    span: tuple[datetime, datetime],
    *,
    cache: FitCache | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Losses:
    """Fit the recipe at the start of each window of a span, and add up what each model loses from then on.

    Windows are the model's own, in whole days, counted from its go-live. A metric of ranks has no loss of a row: the loss of
    the task stands for it.

    Args:
        model: the declaration.
        recipe: what is fitted, with one thread.
        rows: labelled rows with their features, in event order, as a training has them.
        span: the first moment, brought back to the start of its window, and the end.
        cache: where the losses of a fit are kept by rows, recipe, code and cutoff; None keeps none.
        told: is called with the number of models that are done, and of all.

    Raises:
        SimulationError: when the span has no rows, or nothing is known before it.
        EverfitError: what a fit raises.
    """
    window = windows_length(model)
    first = model.go_live + (span[0] - model.go_live) // window * window
    scored = _scored(model, rows, first, (span[1] - first) // DAY, window)
    cutoffs = [first + number * window for number in range(-(-scored.days // (window // DAY)))]
    if not rows.filter(*known_by(model, first)).height:
        raise SimulationError(f"{model.name}: nothing is known before {format_time(first)}; begin later, by --from")
    lost = []
    for each in _each(model, recipe, rows, scored, cutoffs, cache):
        lost.append(each)
        if told:
            told(len(lost), len(cutoffs))
    ones = np.ones(scored.rows.height)
    return Losses(
        start=first,
        window=window,
        lag=windows_behind(model),
        sums=np.array([each.sums for each in lost]),
        rows=scored.by_day(ones),
        due_sums=np.array([each.due_sums for each in lost]),
        due_rows=scored.by_day(ones, due=True),
        seconds=np.array([each.seconds for each in lost]),
    )


def windows_length(model: Model) -> timedelta:
    """The length of the model's windows, rounded up to whole days."""
    return -(-model.drift.window // DAY) * DAY


def _scored(model: Model, rows: "pl.DataFrame", first: datetime, days: int, window: timedelta) -> _Scored:
    import polars as pl

    within = rows.filter(pl.col(EVENT_TIME).is_between(first, first + days * DAY, closed="left"))
    if within.is_empty():
        raise SimulationError(f"{model.name}: no labelled row from {format_time(first)} on, in {max(days, 0)} days")
    since = pl.col(EVENT_TIME) - first
    number = since.dt.total_microseconds() // (window // timedelta(microseconds=1))
    decided = first + (number + 1 + windows_behind(model)) * window + model.log.lateness
    is_due = (pl.col(EVENT_TIME) + model.training.label_delay <= decided) & (pl.col(OBSERVED_AT) <= decided)
    seen = within.select(day=since.dt.total_days(), due=is_due)
    return _Scored(within, seen["day"].to_numpy().astype(np.intp), seen["due"].to_numpy(), days)


def _each(
    model: Model,
    recipe: Recipe,
    rows: "pl.DataFrame",
    scored: _Scored,
    cutoffs: list[datetime],
    cache: FitCache | None,
) -> Iterator[Lost]:
    """What the model of each cutoff lost, in order; what is not kept is fitted, as many at once as there are cores."""
    common = _common_key(model, recipe, rows, scored, cutoffs[0]) if cache else {}
    keys = [common | {"cutoff": format_time(cutoff)} for cutoff in cutoffs]
    kept = [cache.get(key, Lost) if cache else None for key in keys]
    with ExitStack() as opened:
        if None in kept:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="everfit-fits-")))
            pool = opened.enter_context(_pool(model, recipe, rows))
            workers = opened.enter_context(ThreadPoolExecutor(pool.at_once))
            fit = partial(_fit, model, recipe, rows, scored, pool, folder)
            coming = {n: workers.submit(fit, cutoff) for n, cutoff in enumerate(cutoffs) if kept[n] is None}
            opened.callback(workers.shutdown, cancel_futures=True)
        for number, key in enumerate(keys):
            found = kept[number]
            if found is None:
                found = coming.pop(number).result()
                if cache:
                    cache.put(key, found)
            yield found


def _pool(model: Model, recipe: Recipe, rows: "pl.DataFrame") -> FitPool:
    for name in THREADS:
        os.environ.setdefault(name, "1")
    return FitPool([recipe], model.training, row_bytes=int(rows.estimated_size()))


def _fit(
    model: Model,
    recipe: Recipe,
    rows: "pl.DataFrame",
    scored: _Scored,
    pool: FitPool,
    folder: Path,
    cutoff: datetime,
) -> Lost:
    """Fit on what was known at the cutoff, and score the days from then on."""
    import polars as pl

    history = model.training.history
    oldest = [] if history == "all" else [pl.col(EVENT_TIME) >= cutoff - history]
    file = folder / f"{cutoff:%Y%m%d%H%M}.arrow"
    rows.filter(*known_by(model, cutoff), *oldest).write_ipc(file)
    first_row = int(scored.rows[EVENT_TIME].search_sorted(cutoff))
    later = scored.rows[first_row:]
    began = time.monotonic()
    declared: Mapping[str, Any] = {"task": model.task, "features": model.features, "weights": model.weights}
    with pool.fitted(recipe, file, label=LABEL, **declared) as fitted:
        seconds = time.monotonic() - began
        answers = fitted.predict(later)
    file.unlink()
    losses = _metric(model).losses(later[LABEL].to_numpy(), answers)
    on_all, on_due = (scored.by_day(losses, first_row, due=due).tolist() for due in (False, True))
    return Lost(on_all, on_due, round(seconds, 3))


def _metric(model: Model) -> RowMetric:
    return model.metric if isinstance(model.metric, RowMetric) else OwnLoss.of(model.task)


def _common_key(model: Model, recipe: Recipe, rows: "pl.DataFrame", scored: _Scored, first: datetime) -> dict[str, Any]:
    """What the fits of a matrix share: the rows, the recipe and what else of the declaration and the code they rest on."""
    plain = model.model_copy(update={"candidates": [recipe], "gate": Gate(), "drift": DriftPolicy()})
    with tempfile.NamedTemporaryFile(suffix=".arrow") as file:
        rows.write_ipc(file.name)
        data = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "rows": data,
        "code": stage_version(plain, "trained_model"),
        "metric": repr(_metric(model)),
        "training": repr(model.training),
        "days": [scored.days, int(scored.is_due.sum())],
        "first": format_time(first),
        "lateness": repr(model.log.lateness),
    }
