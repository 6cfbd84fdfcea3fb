"""What quality asks of a window's rows, as counts: of rows that were read, here; of rows too many to read, by the database."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Model
from everfit.declaration.reserved_columns import SCHEMA, UNREADABLE
from everfit.errors import FeatureError
from everfit.evidence.column_statistics import present
from everfit.evidence.out_of_bounds import outside

if TYPE_CHECKING:
    import polars as pl


class Held(msgspec.Struct, frozen=True):
    """What a column holds: how many values that are there, and the one that they all are, None where they differ."""

    values: int
    only: str | float | None = None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """``outside`` says of a bounded field how many rows lie outside, and one such value; ``unreadable`` how many numbers of
    those that were read lie beyond all bounds, and are null."""

    rows: int
    schemas: frozenset[str]
    columns: dict[str, Held]
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
        columns={name: _held(window[name]) for name in features},
        outside={name: (len(values), values[0]) for name, values in beyond.items() if len(values)},
        unreadable=int(window[UNREADABLE].sum()) if UNREADABLE in window.columns else 0,
    )


def _held(column: "pl.Series") -> Held:
    values = present(column)
    return Held(len(values), values[0] if values.n_unique() == 1 else None)
