"""What a retraining may cost, in words: a share of the metric for a time, metric times weeks, or seconds and their price."""

import math
import re
from datetime import timedelta
from typing import NamedTuple

WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
LENGTHS = {"day": 1 / 7, "week": 1.0, "month": MONTH / WEEK, "year": 365 / 7}  # in weeks

_NUMBER, _LENGTH = r"(\d+(?:\.\d+)?)", "(day|week|month|year)"
_SHARE = re.compile(rf"{_NUMBER} ?% of the metric for (?:a|{_NUMBER}) {_LENGTH}s?")
_PRICE = re.compile(rf"{_NUMBER} ?s at {_NUMBER} an hour, where {_NUMBER} of the metric is worth {_NUMBER} a {_LENGTH}")


class Cost(NamedTuple):
    """A cost in units of the metric times weeks, of which one part is None: ``units``, or a ``share`` of the metric's weeks."""

    units: float | None
    share: float | None

    def at(self, level: float) -> float:
        """The cost where a fresh model's metric is at this level."""
        return self.units if self.units is not None else (self.share or 0.0) * abs(level)


def parse_cost(given: float | str) -> Cost:
    """Read a cost.

    Args:
        given: a number of units of the metric times weeks, ``8 % of the metric for a month``, or
            ``300 s at 3 an hour, where 0.01 of the metric is worth 20 a week``.

    Raises:
        ValueError: when it is none of these, or not above 0.
    """
    cost = _parsed(given)
    size = cost.units if cost.units is not None else cost.share
    if size is None or not 0 < size < math.inf:
        raise ValueError(f"{given!r}: a cost is above 0, and finite; to retrain whenever it gains anything, give a small one")
    return cost


def share_for_a_month(units: float, level: float) -> str:
    """A cost as people declare it, rounded up to a tenth of a per cent."""
    percent = math.ceil(round(1000 * units / (abs(level) * LENGTHS["month"]), 6)) / 10
    return f"{percent:g} % of the metric for a month"


def _parsed(given: float | str) -> Cost:
    if not isinstance(given, str):
        return Cost(float(given), None)
    if share := _SHARE.fullmatch(given.strip()):
        return Cost(None, float(share[1]) / 100 * float(share[2] or 1) * LENGTHS[share[3]])
    if price := _PRICE.fullmatch(given.strip()):
        seconds, an_hour, of_metric, worth = (float(price[number]) for number in (1, 2, 3, 4))
        if not of_metric * worth:
            raise ValueError(f"{given!r}: what the metric is worth must be above 0")
        return Cost(seconds / 3600 * an_hour * of_metric / worth * LENGTHS[price[5]], None)
    raise ValueError(
        f"{given!r} is no cost; write '8 % of the metric for a month', '300 s at 3 an hour, where 0.01 of the metric is "
        "worth 20 a week', or a number of units of the metric times weeks"
    )
