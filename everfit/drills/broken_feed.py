"""A feed that is stuck: one column says the same for days, in the requests and in the source."""

from everfit.drills.catalogue import Announce, Order
from everfit.drills.guarantee_report import Report
from everfit.drills.live_model import Row
from everfit.drills.spoiled_days import COLUMN, run_spoiled


def run(order: Order, announce: Announce) -> Report:
    """Let the column stick; its days must be quarantined, and not be trained on."""
    return run_spoiled("broken-feed", order, announce, _stuck, "one value all day")


def _stuck(row: Row) -> Row:
    return row | {COLUMN: 0.5}
