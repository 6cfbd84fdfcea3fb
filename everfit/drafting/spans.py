"""The lengths of time that a table allows: when a model can go live, its windows, and its backtest."""

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from everfit.drafting.roles import Roles

if TYPE_CHECKING:
    import polars as pl

LEARNT = 0.7  # share of the rows from before the go-live
LONG_DAYS = 56  # of record, from which weeks are judged
EXACT_SUM = 9e18  # units that 64 bits hold


class Spans(NamedTuple):
    """Values of a declaration, as they are written; ``resolution`` is "" where the usual one does."""

    delay: str
    go_live: str
    window: str
    min_rows: int
    backtest: str
    folds: int
    unseen: int
    resolution: str


def spans_of(rows: "pl.DataFrame", roles: Roles) -> Spans:
    """What fits the rows of the file."""
    import polars as pl

    times = rows[roles.time.given].drop_nulls().cast(pl.Datetime("us")).sort()  # of times with a zone, in UTC
    first, last = cast(datetime, times.min()), cast(datetime, times.max())
    days = (last - first).days
    delay = timedelta(days=1) if days > LONG_DAYS else timedelta(hours=1)
    least = _second_label(rows, roles) + delay + timedelta(seconds=1)
    apart = max(cast(datetime, times[int(LEARNT * (len(times) - 1))]), least)
    day = datetime(apart.year, apart.month, apart.day, tzinfo=apart.tzinfo)
    live = day if day - first > timedelta(days=2) + delay and day >= least else apart
    before, long = (live - first).days, (live - first).days >= LONG_DAYS
    window = timedelta(days=7) if long else timedelta(days=1)
    each = len(times) * (window / max(last - first, window))
    written = f"{live:%Y-%m-%d}" if live == day else f"{live:%Y-%m-%dT%H:%M:%S}Z"
    min_rows = max(2, min(200, int(each / 2)))
    backtest = "28d" if long else f"{max(1, before // 3)}d"
    return Spans(
        "1d" if delay == timedelta(days=1) else "1h",
        *(written, "7d" if long else "1d", min_rows, backtest, 4 if long else max(1, min(2, before // 3)), 7 if long else 1),
        _resolution(rows, roles),
    )


def _second_label(rows: "pl.DataFrame", roles: Roles) -> datetime:
    """The first time of a label that is another than the earliest: nothing can be learnt before."""
    import polars as pl

    time, label = roles.time.given, roles.label.given
    known = rows.select(pl.col(time).cast(pl.Datetime("us")), label).drop_nulls().sort(time)
    others = known.filter(pl.col(label) != pl.col(label).first())
    return cast(datetime, (known if others.is_empty() else others)[time][0])


def _resolution(rows: "pl.DataFrame", roles: Roles) -> str:
    """A coarser one where the sum of all labels would not be exact in 64 bits."""
    label = rows[roles.label.given]
    if roles.task != "regression" or not label.dtype.is_numeric():
        return ""
    total = float(label.cast(float).abs().sum())
    return "" if total * 1e9 < EXACT_SUM else f"1e{math.ceil(math.log10(total / EXACT_SUM))}"
