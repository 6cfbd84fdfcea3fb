"""The gate's comparison on what models lost: its folds, interval, margin and budget, by the models of a span."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from everfit.declaration import Gate
from everfit.declaration.retraining import Status
from everfit.declaration.tasks import Floats
from everfit.evaluation import budget
from everfit.evaluation.folds import folds
from everfit.evaluation.gate import REFUTED, SAME, allowed_difference
from everfit.evaluation.intervals import mean_of_days
from everfit.policy.losses import DAY, Losses


@dataclass(slots=True)
class GateOnLosses:
    """The verdicts of one model's gate, one after the other: all attempts share its budget.

    A fold is scored by the newest model of the span that began no later than the fold. Slices, figures, checks and latency are
    not judged: a matrix of losses does not hold them.
    """

    gate: Gate
    losses: Losses
    spent: list[tuple[datetime, float]] = field(default_factory=list)

    def __call__(self, champion: int, candidate: int, window: int, cause: str) -> Status:
        """Judge the model that was fitted at the start of a window, at the start of that window or of a later one."""
        known = window - self.losses.lag
        differences, own = self._days(champion, candidate, known)
        if len(differences) < 2:
            return "promoted" if self.gate.question(cause).prove == "no_worse" else "inconclusive"
        at, judged = self.losses.at(window), mean_of_days(differences)
        spread = mean_of_days(own).weekly_spread
        allowed = allowed_difference(self.gate.question(cause), spread if np.isfinite(spread) else 0.0, same=SAME)
        spent = sum(cost for then, cost in self.spent if then > at - budget.YEAR)
        level = budget.level(self.gate.wrong_promotions_per_year, spent, 1)
        p_value = judged.p_value(allowed)
        self.spent.append((at, budget.cost(level, [p_value])))
        if p_value <= level:
            return "promoted"
        expired = self.losses.at(window) - self.losses.at(candidate) >= self.gate.expires_after
        return "rejected" if expired or judged.lower(REFUTED) > allowed else "inconclusive"

    def _days(self, champion: int, candidate: int, known: int) -> tuple[Floats, Floats]:
        """By day with rows: the candidate's loss less the champion's where they are compared, and the champion's own so far."""
        scored: dict[int, int] = {}  # day: model
        cutoff, since = self.losses.at(min(candidate, known)), self.losses.at(champion)
        for fold in folds(self.gate, cutoff, since) if cutoff > since else []:
            first, end = self._day(fold.start), self._day(fold.end)
            scored |= dict.fromkeys(range(first, end), (fold.start - self.losses.start) // self.losses.window)
        scored |= dict.fromkeys(range(self._day(cutoff), self._day(self.losses.at(known))), candidate)
        rows, sums = self.losses.due_rows, self.losses.due_sums
        days = [day for day in sorted(scored) if rows[day]]
        behind = [sums[scored[day], day] - sums[champion, day] for day in days]
        lived = np.flatnonzero(rows[: self._day(self.losses.at(known))])
        lived = lived[lived >= self._day(since)]
        return _by_day(np.array(behind), rows[days]), _by_day(sums[champion, lived], rows[lived])

    def _day(self, moment: datetime) -> int:
        return (moment - self.losses.start + timedelta(hours=12)) // DAY


def _by_day(sums: Floats, rows: Floats) -> Floats:
    """One value a day, whose mean is the loss of all rows: a day counts by its rows, linearised about the mean."""
    if not len(rows):
        return np.empty(0)
    mean = sums.sum() / rows.sum()
    return np.asarray(mean + (sums - mean * rows) * len(rows) / rows.sum())
