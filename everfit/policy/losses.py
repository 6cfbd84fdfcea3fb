"""The losses of models fitted at the start of every window, on all days from then on: what any retraining would have cost.

With them a policy over months is played by adding up. Legend: K windows and as many models, D days; model k learnt what was
known when window k began, and takes over there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from everfit.declaration.tasks import Floats

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
SHIFTS = (-1.5, -1, -0.5, 0, 0.5, 1, 1.5)  # of a timer, in quarters of its period


@dataclass(frozen=True, eq=False)
class Losses:
    """A span of days, in windows of whole days of which the last may be shorter.

    ``sums[K, D]`` is the loss of model k summed over the rows of day d, anything before the model began, and ``rows[D]`` counts
    them. ``due_sums[K, D]`` and ``due_rows[D]`` are the same of those rows whose labels are due at the decision that scores
    their window, which comes ``lag`` windows after its end. ``seconds[K]`` is what each fit took.
    """

    start: datetime
    window: timedelta
    lag: int
    sums: Floats
    rows: Floats
    due_sums: Floats
    due_rows: Floats
    seconds: Floats

    @property
    def windows(self) -> int:
        """K."""
        return len(self.sums)

    @property
    def weeks(self) -> float:
        """The length of a window."""
        return self.window / WEEK

    def at(self, window: int) -> datetime:
        """When a window begins."""
        return self.start + window * self.window

    def days(self, window: int) -> slice:
        """The days of a window."""
        length = self.window // DAY
        return slice(window * length, min((window + 1) * length, len(self.rows)))

    def cut(self, first: int, end: int | None = None) -> "Losses":
        """The span from a window's start to before the day ``end``, counted from this span's start."""
        length = self.window // DAY
        days = slice(first * length, len(self.rows) if end is None else end)
        models = slice(first, -(-len(self.rows[: days.stop]) // length))
        return replace(
            self,
            start=self.at(first),
            sums=self.sums[models, days],
            rows=self.rows[days],
            due_sums=self.due_sums[models, days],
            due_rows=self.due_rows[days],
            seconds=self.seconds[models],
        )

    def mean(self, lives: Sequence[int]) -> float:
        """The mean loss of a row where the models of these windows follow each other; the first is 0."""
        ends = [*lives[1:], self.windows]
        return float(sum(self._served[k, end] for k, end in zip(lives, ends, strict=True)) / self.rows.sum())

    def mean_of(self, serving: Sequence[int]) -> float:
        """The mean loss of a row where each window is answered by the model named for it, of that window or an earlier one."""
        days = [self.days(window) for window in range(self.windows)]
        return float(sum(self.sums[model, each].sum() for model, each in zip(serving, days, strict=True)) / self.rows.sum())

    def due_count(self, window: int) -> int:
        """How many rows of a window have their labels when it is scored."""
        return int(self.due_rows[self.days(window)].sum())

    def due_mean(self, model: int, window: int) -> float:
        """The mean loss of a model on the rows of a window whose labels are due when it is scored; NaN without any."""
        days = self.days(window)
        rows = self.due_rows[days].sum()
        return float(self.due_sums[model, days].sum() / rows) if rows else float("nan")

    @property
    def weekly(self) -> float:
        """The mean loss where every window begins with a new model."""
        return self.mean(range(self.windows))

    def timer(self, count: int) -> float:
        """The mean loss of timers that retrain so often at equal distances, over their shifts."""
        period = self.windows / (count + 1)
        shifted = [{round(period * (number + shift / 4)) for number in range(1, count + 1)} for shift in SHIFTS]
        return float(np.mean([self.mean([0, *sorted(at for at in each if 0 < at < self.windows)]) for each in shifted]))

    def hindsight(self, most: int) -> list[float]:
        """The least mean loss that 0, 1, … ``most`` retrainings can reach, by dynamic programming over their windows."""
        best = [stage[-1] for stage in self._stages(most)[0]]
        return [float(loss / self.rows.sum()) for loss in np.minimum.accumulate(best)]

    def best_moments(self, count: int) -> list[int]:
        """The windows at which so many retrainings lose the least."""
        chosen, end = list[int](), self.windows
        for stage in reversed(self._stages(count)[1]):
            end = int(stage[end])
            chosen.insert(0, end)
        return chosen

    def _stages(self, count: int) -> tuple[list[Floats], list[npt.NDArray[np.intp]]]:
        """By number of retrainings, for each end: the least loss up to it, and the window of the newest model that loses it."""
        best, newest = [self._served[0]], list[npt.NDArray[np.intp]]()
        for _ in range(count):
            lost = best[-1][:-1, None] + self._served
            lost[0] = np.inf  # a retraining comes after the first model
            newest.append(lost.argmin(axis=0))
            best.append(cast("Floats", lost.min(axis=0)))
        return best, newest

    @cached_property
    def _served(self) -> Floats:
        """float64[K, K + 1]: the loss of model k from its window to the start of another; infinite where that is not later."""
        starts = [self.days(window).start for window in range(self.windows)]
        by_window = np.add.reduceat(np.nan_to_num(self.sums), starts, axis=1)
        served = np.full((self.windows, self.windows + 1), np.inf)
        for model in range(self.windows):
            served[model, model + 1 :] = np.cumsum(by_window[model, model:])
        return cast("npt.NDArray[np.float64]", served)
