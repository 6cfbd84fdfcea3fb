"""Whether the daily loss of a version has become worse than promised, at whatever window that began.

Each window begins a sequence of its own that goes on for as long as the version lives: an anytime-valid lower bound of the mean
daily loss since then (:mod:`everfit.evaluation.sequence`). What is alarmed is harm alone: A. Podkopaev and A. Ramdas, "Tracking
the risk of a deployed model and detecting harmful distribution shifts", ICLR 2022. A sequence errs with a probability that is
the budget of false alarms for one window, so that all that begin in a year err as often as is allowed at most.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from everfit.declaration.tasks import Floats
from everfit.evaluation.sequence import FEWEST_DAYS, sequence

MOST_ERROR = 0.05  # of a sequence, however large the budget


class Harm(NamedTuple):
    """The greatest lower bound that any sequence shows, the mean it is about, and its days; -inf of too few days."""

    lower: float
    mean: float
    days: int


def worst(windows: Sequence[Floats], error: float) -> Harm:
    """The sequence that shows most.

    Args:
        windows: of each window, oldest first, its daily losses; those that are not finite are left out.
        error: probability with which one sequence's bound is ever above the truth.
    """
    found = [sequence(np.concatenate(windows[at:]), 2 * min(error, MOST_ERROR)) for at in range(len(windows))]
    harms = [Harm(one.lower, one.mean, one.days) for one in found if one.days >= FEWEST_DAYS]
    return max(harms, default=Harm(-np.inf, np.nan, 0))
