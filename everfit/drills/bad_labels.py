"""Labels that are wrong: three of ten of the newest rows are flipped, those that the gate judges on, too.

The gate cannot see it. So the challenger becomes champion at most provisionally, and the guard rolls it back by the outcomes
that come after, which are right.
"""

import random

from everfit.declaration.rollouts import Guard
from everfit.drills.catalogue import Announce, Order
from everfit.drills.failing_version import await_end, report
from everfit.drills.guarantee_report import Report
from everfit.drills.live_model import Row, as_recorded, days_of, declared, go_live

FLIPPED = 0.3
WITHIN_DAYS = 21


def run(order: Order, announce: Announce) -> Report:
    """Train on flipped labels, then tell what is true until the version is rejected or rolled back."""
    with go_live(order, declared([Guard(for_=f"{WITHIN_DAYS}d")])) as live:
        days = days_of(order)
        live.play(_flipped, days=days)
        announce(f"{FLIPPED:.0%} of the labels of {days} days were flipped")
        concluded = live.retrain()
        announce(f"the gate: {concluded.reason}")
        did = [f"flipped {FLIPPED:.0%} of the labels of {days} days, and trained on them"]
        ended = await_end(live, as_recorded, WITHIN_DAYS, announce)
        return report("bad-labels", did, live, ended)


def _flipped(row: Row, draw: random.Random) -> bool:
    return as_recorded(row, draw) != (draw.random() < FLIPPED)
