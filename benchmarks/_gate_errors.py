"""How often the gate promotes what it should not: years of weekly attempts on shuffled days, on which no model is better.

Under ``better`` any promotion is wrong. Under ``no_worse`` the candidates are made worse by the margin: their answers are
blended with the base rate. There is one candidate, or two that have learnt other days and share the budget.
"""

from itertools import product
from typing import Literal

import numpy as np

from benchmarks._gate_losses import BACKTEST, SHUFFLED_CUTOFFS, Shuffled, World
from benchmarks._gate_play import WEEK, Gates, weekly
from everfit.declaration import Gate
from everfit.declaration.tasks import Floats
from everfit.evaluation.budget import YEAR
from everfit.evaluation.gate import SAME, allowed_difference

PLAYS = 300
WEEKS = (SHUFFLED_CUTOFFS - 1 - BACKTEST) // WEEK
SHARE = 1e-4  # to which the share of the base rate is found

Prove = Literal["better", "no_worse"]
ASKED: tuple[Prove, ...] = ("better", "no_worse")


def false_ratios(shuffled: Shuffled, budget: float, seed: int) -> dict[str, float]:
    """Wrong promotions a year over those declared, by what is asked and how many candidates there are."""
    sound, found = shuffled.losses(), dict[str, float]()
    for prove, candidates in product(ASKED, (1, 2)):
        gate = Gate(prove=prove, wrong_promotions_per_year=budget)
        offered = sound if prove == "better" else shuffled.losses(_worse_by(gate, shuffled, sound))
        found[f"{prove}, {candidates} candidate{'s' * (candidates > 1)}"] = (
            _wrong_a_year(gate, sound, offered, candidates, seed) / budget
        )
    return found


def _wrong_a_year(gate: Gate, sound: Floats, offered: Floats, candidates: int, seed: int) -> float:
    """Promotions a year; what has replaced a champion is as good as it was."""
    draw = np.random.default_rng(seed)
    recipes = [np.roll(offered, number * SHUFFLED_CUTOFFS // 2, axis=0) for number in range(candidates)]
    promoted = 0
    for _ in range(PLAYS):
        order = draw.permutation(sound.shape[1])
        gates = Gates(gate, World(sound, order), [World(losses, order) for losses in recipes])
        promoted += len([*weekly(gates, BACKTEST, SHUFFLED_CUTOFFS)]) - 1
    return promoted / PLAYS / (WEEKS * WEEK) * YEAR.days


def _worse_by(gate: Gate, shuffled: Shuffled, sound: Floats) -> float:
    """The share of the base rate in the answers of models that lose as much more as the gate allows."""
    spread = float(sound.std(axis=1).mean()) / WEEK**0.5  # of a week's mean, where the order of days means nothing
    wanted, low, high = sound.mean() + allowed_difference(gate, spread, same=SAME), 0.0, 0.5
    while high - low > SHARE:
        middle = (low + high) / 2
        low, high = (middle, high) if shuffled.losses(middle).mean() < wanted else (low, middle)
    return high
