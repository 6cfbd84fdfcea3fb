"""What the default gate leaves of weekly retraining's gain on the electricity market, and how often it passes after a month."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from benchmarks._gate_losses import FIRST, GO_LIVE, World
from benchmarks._gate_play import WEEK, Gates, backtest, weekly
from everfit.declaration import Gate

ENDS = {str(year): (datetime(year + 1, 1, 1, tzinfo=UTC) - FIRST).days for year in (1997, 1998)}  # or the record's end
OLDER = 28


def kept_shares(gate: Gate, world: World) -> dict[str, float]:
    """Of the gain over never retraining, what is left of it behind the gate, by the year to whose end."""
    lives = [*weekly(Gates(gate, world, [world]), GO_LIVE, len(world.order))]
    return {year: _kept(world, min(end, len(world.order)), lives) for year, end in ENDS.items()}


def _kept(world: World, end: int, gated: Sequence[int]) -> float:
    never, ungated = _lost(world, [GO_LIVE], end), _lost(world, range(GO_LIVE, end, WEEK), end)
    return (never - _lost(world, gated, end)) / (never - ungated)


def _lost(world: World, lives: Sequence[int], end: int) -> float:
    """Losses of all days, where models of these cutoffs follow each other."""
    edges = [*(cutoff for cutoff in lives if cutoff < end), end]
    return float(sum(world.loss(cutoff, range(cutoff, until)).sum() for cutoff, until in pairwise(edges)))


def power(gate: Gate, world: World) -> float:
    """The share of weekly attempts that pass, each against a champion 28 days older than the candidate."""
    gates = Gates(gate, world, [world])
    cutoffs = range(GO_LIVE + OLDER, len(world.order), WEEK)
    return float(np.mean([bool(gates.judge(c - OLDER, backtest(gate, world, c - OLDER), c)) for c in cutoffs]))
