"""Features as of a moment, for many moments at once: an as-of join and differences of running sums.

Both are one window function over the union of known rows and requested moments, so that narwhals can hand the plan to any
engine: sorted by key and time, the newest known row's number is the largest so far.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from everfit.declaration.number_range import LARGEST
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.declaration.views import FeatureView, Latest, Windowed
from everfit.errors import SourceError
from everfit.features.point_in_time import LARGEST_UNITS, key_text, known_rows, moment, too_large

if TYPE_CHECKING:
    import polars as pl

Frame = nw.DataFrame[Any]


def compute(views: Sequence[FeatureView], sources: Mapping[str, "pl.DataFrame"], spine: "pl.DataFrame") -> "pl.DataFrame":
    """Each view's features as known at each row of the spine.

    Args:
        views: the views to compute.
        sources: the rows of every source that the views read, by name.
        spine: a row per request, its EVENT_TIME (of :mod:`everfit.declaration.reserved_columns`) and the views' key columns;
            rows may repeat.

    Returns:
        The spine, in its order, with one column per feature: float64 for numbers, text for categories.

    Raises:
        SourceError: when a source, a column of it or a column of the spine is missing or has a type that does not fit.
    """
    requested = nw.from_native(spine, eager_only=True)
    for column in [EVENT_TIME, *(view.key for view in views)]:
        if column not in requested.columns:
            raise SourceError(f"the requested rows lack the column {column!r}; they have {', '.join(requested.columns)}")
    result = requested
    for view in views:
        if view.source not in sources:
            raise SourceError(f"view {view.name} reads source {view.source!r}; given are {', '.join(sources) or 'none'}")
        rows = _running(view, known_rows(view, sources[view.source]))
        moments = requested.select(key=key_text(requested, view.key), at=moment(requested, EVENT_TIME))
        result = result.with_columns(*_features(view, rows, moments))
    return result.to_native()


def _running(view: FeatureView, rows: Frame) -> Frame:
    """Running sums and counts of each key; rows are sorted by key and time."""
    added = [nw.col(f"units_{i}" if part == "sum" else f"held_{i}") for part, i in _running_columns(view)]
    names = [f"{part}_{i}" for part, i in _running_columns(view)]
    for column in view.resolutions:
        _within(view, column, rows)
    return rows.with_columns(*(column.cum_sum().over("key").alias(name) for column, name in zip(added, names, strict=True)))


def _within(view: FeatureView, column: str, rows: Frame) -> None:
    """Refuse sums that exceed 64 bits: integers would overflow silently, so the check is by floats."""
    units = nw.col(f"units_{view.columns.index(column)}").cast(nw.Float64)
    furthest = rows.select(units.cum_sum().over("key").abs().alias("units"))["units"].max()
    if furthest is not None and furthest >= LARGEST_UNITS:
        raise too_large(view, column, furthest * view.resolutions[column])


def _running_columns(view: FeatureView) -> list[tuple[str, int]]:
    """The running columns: ``("sum", i)`` and ``("count", i)`` for the i-th of the view's columns."""
    summed = [("sum", i) for i, column in enumerate(view.columns) if column in view.resolutions]
    return summed + [("count", i) for i, column in enumerate(view.columns) if column in view.counted]


def _as_of(rows: Frame, moments: Frame) -> Frame:
    """For each ``key`` and ``at`` of the moments the newest row known by then, in their order; nulls where there is none."""
    known = rows.with_row_index("_row")
    requested = moments.with_row_index("_requested")
    union = nw.concat(
        [known.select("key", "_row", at="known_at"), requested.select("key", "at", "_requested")],
        how="diagonal",
    )
    newest = nw.col("_row").cum_max().fill_null(strategy="forward").over("key", order_by=["at", "_requested"])
    rows_as_of = union.with_columns(_row=newest).filter(~nw.col("_requested").is_null()).select("_requested", "_row")
    return rows_as_of.join(known.drop("key"), on="_row", how="left").sort("_requested")


def _features(view: FeatureView, rows: Frame, moments: Frame) -> list[nw.Series[Any]]:
    """One series per feature, in the order of the moments."""
    rows_as_of = _as_of(rows, moments).with_columns(at=moments["at"])
    for n, over in enumerate(view.windows):
        ago = _as_of(rows, moments.with_columns(at=nw.col("at") - over))
        rows_as_of = rows_as_of.with_columns(
            *(ago[f"{part}_{i}"].alias(f"{part}_{i}_{n}") for part, i in _running_columns(view))
        )
    answers = []
    for name, feature in view.features.items():
        i = view.columns.index(feature.column)
        if isinstance(feature, Latest):
            answers.append(_latest(view.ttl, i).alias(name))
        else:
            answers.append(_windowed(feature, i, view.windows.index(feature.over)).alias(name))
    answered = rows_as_of.select(*answers)
    return [answered[name] for name in view.features]


def _latest(ttl: timedelta | None, i: int) -> nw.Expr:
    value = nw.col(f"value_{i}")
    return value if ttl is None else nw.when(nw.col("at") - nw.col("known_at") <= ttl).then(value)


def _windowed(feature: Windowed, i: int, n: int) -> nw.Expr:
    """The statistic over ``(at - over, at]``; the same float operations as :func:`everfit.features.running_sums.answer`."""
    count = _difference(f"count_{i}", n)
    if feature.statistic == "count":
        return count
    total = _difference(f"sum_{i}", n) * feature.resolution
    if feature.statistic == "sum":
        return nw.when(total.abs() <= LARGEST).then(total)
    return nw.when((count > 0) & ((total / count).abs() <= LARGEST)).then(total / count)


def _difference(column: str, n: int) -> nw.Expr:
    return (nw.col(column).fill_null(0) - nw.col(f"{column}_{n}").fill_null(0)).cast(nw.Float64)
