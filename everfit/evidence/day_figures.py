"""The figures of one day by which later days are compared with it: small enough to be kept with the day's verdict."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.declaration.views import Features
from everfit.evidence.column_statistics import as_text, null_share, present

if TYPE_CHECKING:
    import polars as pl

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)  # of the quantiles by which a day's numbers are compared
HOURS = 24
WORDS = ("category", "flag")  # kinds of which values are compared one by one
FEW = 2  # different values of a number whose shares are kept, too
MOST_SHARES = 50
SHORTEST = 0.002  # of the rows: rarer values are not kept


class ColumnFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of one column: share of nulls, of the commonest value among those that are present, and where the values lie.

    ``quantiles`` of numbers at :data:`LEVELS`; ``shares`` of the commonest categories, and of the values of a number that has
    no more than :data:`FEW`. ``values``: how many are present.
    """

    values: int
    nulls: float
    top: float
    quantiles: list[float] = []
    shares: dict[str, float] = {}


class DayFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of all rows of a day: ``hours`` counts them by UTC hour; ``repeated`` is the share that repeat another in every column.

    ``relations`` are the correlations that the profile asks for, by name, and ``above`` the shares of rows in which one number
    is above another.
    """

    day: date
    rows: int
    hours: list[int]
    repeated: float
    columns: dict[str, ColumnFigures]
    relations: dict[str, float] = {}
    above: dict[str, float] = {}


def figures_in(detail: Mapping[str, Any]) -> DayFigures | None:
    """The figures that a stored verdict holds; None where it holds none."""
    stored = detail.get("figures")
    return msgspec.convert(stored, DayFigures) if stored else None


def column_figures(column: "pl.Series", kind: str) -> ColumnFigures:
    """Figures of a column of at least one row; of values that are no numbers or categories the nulls alone."""
    import polars as pl

    values = present(column)
    nulls = null_share(column)
    if values.is_empty() or values.dtype.is_nested() or kind == "time":
        return ColumnFigures(len(values), nulls, 0.0)
    counted = (as_text(values) if kind in WORDS else values).value_counts(sort=True, name="rows")
    top = int(counted["rows"][0]) / len(values)
    few = kind in WORDS or len(counted) <= FEW
    shares = {
        str(value): _rounded(rows / len(values))
        for value, rows in counted.head(MOST_SHARES).iter_rows()
        if few and rows >= SHORTEST * len(values)
    }
    quantiles = []
    if kind == "number":
        ordered = values.cast(pl.Float64).sort()
        quantiles = [_rounded(float(ordered.quantile(level, "linear") or 0.0)) for level in LEVELS]
    return ColumnFigures(len(values), nulls, top, quantiles, shares)


def rows_by_hour(times: "pl.Series") -> list[int]:
    """How many of the times lie in each hour of the day, UTC: int[24]."""
    import numpy as np

    return [int(count) for count in np.bincount(times.dt.hour().to_numpy(), minlength=HOURS)]


def basic_figures(day: date, rows: "pl.DataFrame", columns: Features, time: str) -> DayFigures:
    """Figures of a day's rows but for what a profile asks for."""
    if rows.is_empty():
        return DayFigures(day, 0, [0] * HOURS, 0.0, {})
    told_apart = [name for name, kind in columns if name in rows.columns and not rows.schema[name].is_nested()]
    unique = rows.select(time, *told_apart).n_unique()
    figures = {name: column_figures(rows[name], kind) for name, kind in columns if name in rows.columns}
    return DayFigures(day, rows.height, rows_by_hour(rows[time]), _rounded(1 - unique / rows.height), figures)


def _rounded(value: float) -> float:
    """To six digits: figures are stored with every day."""
    return float(f"{value:.6g}")
