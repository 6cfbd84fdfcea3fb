"""A feed that changes its unit: one column is a thousandth of what it was for days, in the requests and in the source."""

from everfit.drills.catalogue import Announce, Order
from everfit.drills.guarantee_report import Report
from everfit.drills.live_model import Row
from everfit.drills.spoiled_days import COLUMN, run_spoiled


def run(order: Order, announce: Announce) -> Report:
    """Divide the column by a thousand; its days must be quarantined, and not be trained on."""
    return run_spoiled("unit-change", order, announce, _in_another_unit, "values divided by 1,000")


def _in_another_unit(row: Row) -> Row:
    return row | {COLUMN: row[COLUMN] / 1_000}
