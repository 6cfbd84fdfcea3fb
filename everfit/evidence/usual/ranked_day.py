"""A day's rows as ranks within the day, on which neither a season nor a growing market shows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from everfit.evidence.column_statistics import as_text
from everfit.evidence.day_figures import HOURS
from everfit.evidence.usual.column_ranges import LEAST_VALUES

if TYPE_CHECKING:
    import polars as pl

Floats = npt.NDArray[np.float64]

HOUR = "hour of the day"
NEUTRAL = 0.5  # the mean of ranks


class RankedDay:
    """A day's rows in order of key and time: ``values`` of its numbers, NaN where there is none, and ``ranks`` up to 1."""

    def __init__(self, rows: "pl.DataFrame", numbers: Iterable[str], time: str, key: Sequence[str]) -> None:
        import polars as pl

        key = [name for name in key if name in rows.columns]
        self._frame = rows.sort(*key, time)
        self.rows = rows.height
        self.hours = self._frame[time].dt.hour().to_numpy().astype(np.int64)
        numeric = [name for name in numbers if name in rows.columns and not rows.schema[name].is_nested()]
        present = self._frame.select(pl.col(name).cast(pl.Float64) for name in numeric)
        present = present.select(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in numeric)
        ranked = present.select(pl.all().rank("average") / pl.all().count().clip(1)) if numeric else present
        self.values = {name: _floats(present[name]) for name in numeric}
        self.ranks = {name: _floats(ranked[name]) for name in numeric}
        whose = self._frame.select(pl.struct(key)).to_series() if key else pl.Series([0] * self.rows)
        self._follows = np.r_[False, (whose[1:] == whose[:-1]).to_numpy()] if self.rows else np.zeros(0, bool)

    def ranks_before(self, column: str) -> Floats:
        """The ranks a row before, of the same key."""
        return np.where(self._follows, np.r_[np.nan, self.ranks[column][:-1]], np.nan)

    def values_of(self, other: str) -> list[Any]:
        """The hours, or a category's values, as text."""
        return [str(hour) for hour in self.hours] if other == HOUR else as_text(self._frame[other]).to_list()

    def templated(self, other: str, template: Mapping[str, float], shift: int = 0) -> Floats:
        """What a template says of each row by its hour, or by that of ``shift`` hours later, or by its category."""
        if other == HOUR:
            by_hour: Floats = np.array([template.get(str(hour), NEUTRAL) for hour in range(HOURS)])
            shifted: Floats = by_hour[(self.hours + shift) % HOURS]
            return shifted
        if other not in self._frame.columns:
            return np.full(self.rows, np.nan)
        return np.array([template.get(value, NEUTRAL) for value in self.values_of(other)])


def correlation(first: Floats, second: Floats) -> float | None:
    """Pearson's, over the rows that have both; None of too few, or where one is constant."""
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < LEAST_VALUES:
        return None
    x, y = first[both] - first[both].mean(), second[both] - second[both].mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 1e-9 * both.sum() else None


def _floats(column: "pl.Series") -> Floats:
    return column.to_numpy().astype(np.float64)
