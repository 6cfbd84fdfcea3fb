"""What is at stake where the champion stays: what it has lost against fresh models, and what lies ahead if nothing is done.

Either alone retrains at the wrong moments: a sum goes on asking after the gap has closed, and one bad window says little. On
five records (:mod:`benchmarks.policies`) their geometric mean leaves less of the way to the best moments than the sum alone, on
each record by settings that were chosen on the others; how far one looks ahead matters little between none and half a year.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

KEPT = 0.9  # of what was lost, after a week
MONTH = 4.0  # weeks


@dataclass(frozen=True, slots=True)
class Stakes:
    """In units of the metric times weeks.

    ``lost`` is the sum of the champion's gaps behind fresh models since its promotion, never below zero, a tenth of it
    forgotten each week. ``ahead`` is what the newest gap would lose in half of the time that the champion was watched, and
    half a month: as much as was lost, where the gap has grown steadily.
    """

    lost: float
    ahead: float

    @property
    def mean(self) -> float:
        """Their geometric mean, which is held against the cost of a retraining; 0 where the newest gap is none."""
        return math.sqrt(self.lost * max(self.ahead, 0.0))


def stakes(gaps: Iterable[tuple[float, float]]) -> Stakes:
    """Add up what each window since the promotion has shown, the oldest first.

    Args:
        gaps: of each, its length in weeks, and the champion's mean loss less that of a model trained when it began.
    """
    lost, ahead, watched = 0.0, 0.0, 0.0
    for weeks, gap in gaps:
        watched += weeks
        lost = max(0.0, KEPT**weeks * lost + weeks * gap)
        ahead = gap * (watched + MONTH) / 2
    return Stakes(lost, ahead)
