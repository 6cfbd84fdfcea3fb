"""Counts over a window's rows, for its quality: of rows that were read here; the database counts rows too many to read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Model
from everfit.declaration.reserved_columns import SCHEMA, UNREADABLE
from everfit.declaration.values import shown
from everfit.errors import FeatureError
from everfit.evidence.column_statistics import present
from everfit.evidence.out_of_bounds import outside

if TYPE_CHECKING:
    import polars as pl


class ColumnValues(msgspec.Struct, frozen=True):
    """How many values a column has, nulls not counted, and the value that all of them are, None where they differ."""

    values: int
    constant: str | float | None = None  # of a flag and a vector as text


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over rows. ``outside``: of a bounded field, how many rows lie outside, and an example of their values.
    ``unreadable``: how many of the numbers that were read lie beyond all bounds, and became null."""

    rows: int
    schemas: frozenset[str]
    columns: dict[str, ColumnValues]
    outside: dict[str, tuple[int, float]]
    unreadable: int = 0

    def null_share(self, column: str) -> float:
        """Share of rows without a value; 0 of no rows."""
        return 1 - self.columns[column].values / self.rows if self.rows else 0.0


def tally(model: Model, window: "pl.DataFrame", features: Sequence[str]) -> Tally:
    """Count the rows of a frame: these features, and SCHEMA where it is there.

    Raises:
        FeatureError: when the frame lacks a feature.
    """
    missing = [name for name in features if name not in window.columns]
    if missing:
        raise FeatureError(f"no column {', '.join(map(repr, missing))} in the window; it has {', '.join(window.columns)}")
    beyond = {name: window.filter(rows)[name] for name, _, rows in outside(model, window)}
    return Tally(
        rows=window.height,
        schemas=frozenset(window[SCHEMA].unique()) if SCHEMA in window.columns else frozenset(),
        columns={name: _column_values(window[name]) for name in features},
        outside={name: (len(values), values[0]) for name, values in beyond.items() if len(values)},
        unreadable=int(window[UNREADABLE].sum()) if UNREADABLE in window.columns else 0,
    )


def _column_values(column: "pl.Series") -> ColumnValues:
    values = present(column)
    constant = values[:1].to_list()[0] if values.n_unique() == 1 else None
    return ColumnValues(len(values), shown(constant) if isinstance(constant, bool | list) else constant)
