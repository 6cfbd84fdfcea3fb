"""Attempt after attempt through the product's own gate: its folds, interval, margin and budget, on daily losses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from benchmarks._gate_losses import FIRST, World
from everfit.declaration import Gate
from everfit.declaration.tasks import Floats
from everfit.evaluation import budget
from everfit.evaluation.folds import folds
from everfit.evaluation.gate import SAME, allowed_difference
from everfit.evaluation.intervals import mean_of_days

WEEK = 7
DAY = timedelta(days=1)


@dataclass(slots=True)
class Gates:
    """The gates of one model, which share a budget.

    ``champion`` is the world in which champions lose, ``candidates`` those of the recipes that want to replace them.
    """

    gate: Gate
    champion: World
    candidates: Sequence[World]
    spent: list[tuple[int, float]] = field(default_factory=list)

    def judge(self, since: int, tested: Floats, cutoff: int) -> list[Floats]:
        """Judge the candidates of a cutoff.

        Args:
            since: the champion's cutoff.
            tested: daily losses of the champion's own backtest.
            cutoff: of the candidates.

        Returns:
            The daily losses of each candidate that passes.
        """
        spans = layout(self.gate, cutoff, since)
        own = np.concatenate([self.champion.loss(since, span) for span in spans])
        allowed = self._allowed(np.concatenate([tested, own]))
        year = budget.YEAR // DAY
        level = budget.level(
            self.gate.wrong_promotions_per_year,
            sum(cost for day, cost in self.spent if day > cutoff - year),
            len(self.candidates),
        )
        losses = [np.concatenate([world.loss(span.start, span) for span in spans]) for world in self.candidates]
        p_values = [mean_of_days(each - own).p_value(allowed) for each in losses]
        self.spent.append((cutoff, budget.cost(level, p_values)))
        return [each for each, p_value in zip(losses, p_values, strict=True) if p_value <= level]

    def _allowed(self, known: Floats) -> float:
        return allowed_difference(self.gate, mean_of_days(known).weekly_spread, same=SAME)


def weekly(gates: Gates, first: int, end: int) -> Iterator[int]:
    """The cutoffs of the champions that weekly attempts lead to, the first included."""
    since, tested = first, backtest(gates.gate, gates.champion, first)
    yield since
    for cutoff in range(first + WEEK, end, WEEK):
        passed = gates.judge(since, tested, cutoff)
        if passed:
            since, tested = cutoff, min(passed, key=np.mean)
            yield since


def backtest(gate: Gate, world: World, cutoff: int, since: int | None = None) -> Floats:
    """The daily losses of a recipe's folds, against a champion of the cutoff ``since`` or none."""
    return np.concatenate([world.loss(span.start, span) for span in layout(gate, cutoff, since)])


def layout(gate: Gate, cutoff: int, since: int | None) -> list[range]:
    """The folds' days, each scored by the model of its start."""
    laid = folds(gate, FIRST + cutoff * DAY, None if since is None else FIRST + since * DAY)
    return [range((fold.start - FIRST) // DAY, (fold.end - FIRST) // DAY) for fold in laid]
