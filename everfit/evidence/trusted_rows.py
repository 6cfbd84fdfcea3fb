"""Rows of days that are quarantined: neither trained nor compared on, and no evidence of drift or of lost performance."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.declaration.window_grid import Span

if TYPE_CHECKING:
    import polars as pl


def trusted(rows: "pl.DataFrame", quarantined: Iterable[Span]) -> "pl.DataFrame":
    """The rows whose EVENT_TIME lies in none of the half-open spans, in their order."""
    import polars as pl

    for span in quarantined:
        rows = rows.filter(~pl.col(EVENT_TIME).is_between(*span, closed="left"))
    return rows
