"""A challenger that passes the backtest and fails live: the world turns back to what it was before the days of the backtest.

The guard rolls it back by itself.
"""

import random

from everfit.declaration.rollouts import Guard
from everfit.drills.catalogue import Announce, Order
from everfit.drills.failing_version import await_end, report
from everfit.drills.guarantee_report import Report
from everfit.drills.live_model import Row, as_recorded, days_of, declared, go_live

WITHIN_DAYS = 21


def run(order: Order, announce: Announce) -> Report:
    """Train while another rule holds, then let the former hold again until the version is rolled back."""
    with go_live(order, declared([Guard(for_=f"{WITHIN_DAYS}d")])) as live:
        days = days_of(order)
        live.play(_another_rule, days=days)
        announce(f"another rule held for {days} days")
        concluded = live.retrain()
        announce(f"the gate: {concluded.reason}")
        did = [f"let another rule hold for {days} days, trained and promoted by them, and let the former hold again"]
        ended = await_end(live, as_recorded, WITHIN_DAYS, announce)
        made = report("bad-promotion", did, live, ended)
        if concluded.version is None:
            made.wrong.append(f"no challenger passed the backtest, so this run shows nothing: {concluded.reason}")
        return made


def _another_rule(row: Row, draw: random.Random) -> bool:
    return bool(row["measure_01"] + draw.gauss(0, 0.2) > 0.5)
