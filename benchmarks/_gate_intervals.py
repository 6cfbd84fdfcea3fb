"""How often the gate's interval misses on one side, and how often the live sequence finds a difference that is not there."""

import numpy as np

from benchmarks._gate_losses import GO_LIVE, World
from everfit.declaration.tasks import Floats
from everfit.evaluation.intervals import mean_of_days
from everfit.evaluation.sequence import FEWEST_DAYS, sequence

DRAWS = 2_000
SIDE = 0.05  # nominal
ALIKE = 0.3  # autocorrelation of the simulated days
LIVE_DAYS = 84
APART = 28  # days between two models' cutoffs


def misses(days: int, shuffled: Floats, seed: int) -> dict[str, float]:
    """The interval's misses on its worse side, by what is drawn; the target is the mean of what is drawn from.

    Args:
        days: in each draw.
        shuffled: losses[C, D] of models on shuffled days, of which differences are drawn.
        seed: of the draws.
    """
    draw = np.random.default_rng(seed)
    return {
        "shuffled": _worse_side([_drawn(draw, shuffled, days) for _ in range(DRAWS)]),
        "autocorrelated": _worse_side([(values, 0.0) for values in _autoregression(draw, DRAWS, days)]),
    }


def real_misses(days: int, world: World) -> float:
    """The same on stretches of the real order; the target is the mean of the four weeks that follow, which no draw knows."""
    cutoffs = range(GO_LIVE + APART, len(world.order) - days - APART)
    differences = [(world.losses[cutoff] - world.losses[cutoff - APART])[cutoff:] for cutoff in cutoffs]
    return _worse_side([(each[:days], float(each[days : days + APART].mean())) for each in differences])


def sequence_errors(seed: int) -> float:
    """The share of simulated twelve weeks, looked at every day, in which the sequence ever leaves out 0, the truth."""
    streams = _autoregression(np.random.default_rng(seed), DRAWS, LIVE_DAYS)
    return float(np.mean([_leaves_out_zero(values) for values in streams]))


def _leaves_out_zero(values: Floats) -> bool:
    looks = (sequence(values[:days]) for days in range(FEWEST_DAYS, len(values) + 1))
    return any(look.lower > 0 or look.upper < 0 for look in looks)


def _drawn(draw: np.random.Generator, losses: Floats, days: int) -> tuple[Floats, float]:
    """The differences of two models on some of the days, and their mean on all."""
    cutoff = draw.integers(len(losses) - APART)
    differences = losses[cutoff + APART] - losses[cutoff]
    return draw.choice(differences, days, replace=False), float(differences.mean())


def _worse_side(drawn: list[tuple[Floats, float]]) -> float:
    means = [(mean_of_days(values), truth) for values, truth in drawn]
    above = np.mean([mean.lower(SIDE) > truth for mean, truth in means])
    return float(max(above, np.mean([mean.upper(SIDE) < truth for mean, truth in means])))


def _autoregression(draw: np.random.Generator, streams: int, days: int) -> Floats:
    """values[streams, days] about 0 with the autocorrelation ALIKE, as if they had gone on for ever."""
    values = draw.standard_normal((streams, days))
    values[:, 0] /= (1 - ALIKE**2) ** 0.5
    for day in range(1, days):
        values[:, day] += ALIKE * values[:, day - 1]
    return values
