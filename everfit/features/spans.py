"""The spans in which rows of a source became known to a view, and the requests that they affect."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import narwhals.stable.v2 as nw

from everfit.declaration.views import FeatureView, Latest
from everfit.features.point_in_time import moment, shaped

Span = tuple[datetime, datetime]  # the first and the last moment, both included

DAY = timedelta(days=1)
LAST = datetime.max.replace(tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def known_spans(view: FeatureView, source: Any) -> list[Span]:
    """The spans in which rows of a source became known, in order: one for each run of consecutive days with such rows.

    Args:
        view: the declared view.
        source: a frame of the source's rows, in any order.

    Raises:
        SourceError: as :func:`everfit.features.point_in_time.shaped`.
    """
    made = shaped(view, source)
    moments = made.select(at=moment(made, view.known_at)).filter(~nw.col("at").is_null())
    of_days = moments.group_by(nw.col("at").dt.date().alias("day")).agg(first=nw.col("at").min(), last=nw.col("at").max())
    spans: list[Span] = []
    for first, last in of_days.sort("day").select("first", "last").rows():
        if spans and first.date() - spans[-1][1].date() <= DAY:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return spans


def reach(view: FeatureView) -> timedelta | None:
    """For how long after it became known a row may affect a request, last instant included; None for ever."""
    windows = [over - INSTANT for over in view.windows]  # ``(at - over, at]``
    if not any(isinstance(feature, Latest) for feature in view.features.values()):
        return max(windows)
    return None if view.ttl is None else max([view.ttl, *windows])


def days_reached(spans: Iterable[Span], after: timedelta | None, days: Sequence[date]) -> set[date]:
    """The days with requests that may depend on rows which became known in the spans.

    Args:
        spans: the result of :func:`known_spans`.
        after: the view's :func:`reach`.
        days: the days to choose from (UTC), in order.
    """
    reached: set[date] = set()
    for first, last in spans:
        reached.update(days[bisect_left(days, first.date()) : bisect_right(days, _later(last, after))])
    return reached


def _later(moment: datetime, after: timedelta | None) -> date:
    """The day of a moment plus a duration; the last possible day where there is no end."""
    if after is None or after > LAST - moment:
        return date.max
    return (moment + after).date()
