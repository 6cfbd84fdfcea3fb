"""How sure a comparison must be, so that all of a year's promote no more by mistake than is declared.

Adaptive spending (Tian and Ramdas, 2021, "Online control of the familywise error rate"). A comparison may err with the
probability of its level. It costs its level, divided by 1 - CANDID, where its p-value is above CANDID, and nothing below: where
the candidate is as bad as the limit, p-values are spread evenly, and the cost is the level on average. So no more wrong
promotions are expected than is spent; what looks good, as most retraining does where the world moves, leaves the budget whole.
"""

from collections.abc import Sequence
from datetime import timedelta

YEAR = timedelta(days=365)
SHARE = 0.15  # of what is left, for one gate
MOST = 0.3  # of one gate
CANDID = 0.7  # p-values above count as candidates that may well be bad


def level(budget: float, spent: float, candidates: int) -> float:
    """The level of each of a gate's candidates, which share that of the gate: 15 % of what the year's budget has left."""
    return min(MOST, SHARE * max(budget - spent, 0.0)) / max(candidates, 1)


def cost(level: float, p_values: Sequence[float]) -> float:
    """What a gate has spent, by the p-values of its candidates."""
    return sum(level / (1 - CANDID) for p_value in p_values if p_value > CANDID)
