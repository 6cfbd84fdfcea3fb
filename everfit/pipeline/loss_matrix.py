"""The losses of a model's recipe, fitted at the start of every window on what was known by then, on all days that followed."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from everfit.declaration import DriftPolicy, Gate, Model, Recipe
from everfit.declaration.metrics import OwnLoss, RowMetric
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL
from everfit.errors import SimulationError
from everfit.evidence.regret import windows_behind
from everfit.pipeline.backtest import fit_arguments
from everfit.pipeline.code_versions import stage_version
from everfit.pipeline.scored_rows import ScoredRows
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


def loss_matrix(
    model: Model,
    recipe: Recipe,
    rows: "pl.DataFrame",
    span: tuple[datetime, datetime],
    *,
    one_in: int = 1,
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
        one_in: each fit learns one in so many of the rows that were known.
        cache: where the losses of a fit are kept by rows, recipe, code and cutoff; None keeps none.
        told: is called with the number of models that are done, and of all.

    Raises:
        SimulationError: when the span has no rows, or nothing is known before it.
        EverfitError: what a fit raises.
    """
    window = windows_length(model)
    model = model.model_copy(update={"drift": model.drift.model_copy(update={"window": window})})
    first = model.go_live + (span[0] - model.go_live) // window * window
    scored = ScoredRows.of(model, rows, first, (span[1] - first) // DAY, window)
    cutoffs = [first + number * window for number in range(-(-scored.days // (window // DAY)))]
    if not rows.filter(*known_by(model, first)).height:
        raise SimulationError(f"{model.name}: nothing is known before {format_time(first)}; begin later, by --from")
    lost = []
    for each in _each(_Fits(model, recipe, rows, one_in), scored, cutoffs, cache):
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


@dataclass(frozen=True, slots=True)
class _Fits:
    """What the fits of a matrix share."""

    model: Model
    recipe: Recipe
    rows: "pl.DataFrame"
    one_in: int

    def pool(self) -> FitPool:
        """As many processes as there are cores, of one thread each."""
        for name in THREADS:
            os.environ.setdefault(name, "1")
        return FitPool([self.recipe], self.model.training, row_bytes=int(self.rows.estimated_size()))

    def known(self, cutoff: datetime) -> "pl.DataFrame":
        """The rows that are learnt at a cutoff."""
        import polars as pl

        history = self.model.training.history
        oldest = [] if history == "all" else [pl.col(EVENT_TIME) >= cutoff - history]
        return self.rows.filter(*known_by(self.model, cutoff), *oldest).gather_every(self.one_in)

    def lost(self, scored: ScoredRows, pool: FitPool, folder: Path, cutoff: datetime) -> Lost:
        """Fit on what was known at the cutoff, and score the days from then on."""
        file = folder / f"{cutoff:%Y%m%d%H%M}.arrow"
        self.known(cutoff).write_ipc(file)
        first_row = int(scored.rows[EVENT_TIME].search_sorted(cutoff))
        later = scored.rows[first_row:]
        began = time.monotonic()
        with pool.fitted(self.recipe, file, **fit_arguments(self.model)) as fitted:
            seconds = time.monotonic() - began
            answers = fitted.predict(later)
        file.unlink()
        losses = _metric(self.model).losses(later[LABEL].to_numpy(), answers)
        on_all, on_due = (scored.by_day(losses, first_row, due=due).tolist() for due in (False, True))
        return Lost(on_all, on_due, round(seconds, 3))

    def key(self, scored: ScoredRows, first: datetime) -> dict[str, Any]:
        """What names a fit but for its cutoff: the rows, the recipe, and what else of declaration and code it rests on."""
        model = self.model
        plain = model.model_copy(update={"candidates": [self.recipe], "gate": Gate(), "drift": DriftPolicy()})
        with tempfile.NamedTemporaryFile(suffix=".arrow") as file:
            self.rows.write_ipc(file.name)
            data = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "rows": data,
            "code": stage_version(plain, "trained_model"),
            "metric": repr(_metric(model)),
            "training": repr(model.training),
            "days": [scored.days, int(scored.is_due.sum())],
            "first": format_time(first),
            "lateness": repr(model.log.lateness),
            "one_in": self.one_in,
        }


def _each(fits: _Fits, scored: ScoredRows, cutoffs: Sequence[datetime], cache: FitCache | None) -> Iterator[Lost]:
    """What the model of each cutoff lost, in order; what is not kept is fitted, as many at once as there are cores."""
    common = fits.key(scored, cutoffs[0]) if cache else {}
    keys = [common | {"cutoff": format_time(cutoff)} for cutoff in cutoffs]
    kept = [cache.get(key, Lost) if cache else None for key in keys]
    with ExitStack() as opened:
        if None in kept:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="everfit-fits-")))
            pool = opened.enter_context(fits.pool())
            workers = opened.enter_context(ThreadPoolExecutor(pool.at_once))
            fit = partial(fits.lost, scored, pool, folder)
            coming = {n: workers.submit(fit, cutoff) for n, cutoff in enumerate(cutoffs) if kept[n] is None}
            opened.callback(workers.shutdown, cancel_futures=True)
        for number, key in enumerate(keys):
            found = kept[number]
            if found is None:
                found = coming.pop(number).result()
                if cache:
                    cache.put(key, found)
            yield found


def _metric(model: Model) -> RowMetric:
    return model.metric if isinstance(model.metric, RowMetric) else OwnLoss.of(model.task)
