"""The rows that the trials of a search are judged on: the newer half, in equal parts, each with what was known before it."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.errors import FeatureError

if TYPE_CHECKING:
    import polars as pl

FOLDS = 3
JUDGED = 0.5  # share of the rows, the newest, that the folds divide


def rolling(
    rows: "pl.DataFrame", known_by: "Callable[[datetime], list[pl.Expr]] | None" = None
) -> "list[tuple[pl.DataFrame, pl.DataFrame]]":
    """The rows to fit on and those to judge on, for each fold.

    Args:
        rows: in the order of events.
        known_by: which rows may be learnt from at a moment; without it, all before the fold.

    Raises:
        FeatureError: when there are too few rows.
    """
    size = int(rows.height * JUDGED) // FOLDS
    if size == 0:
        raise FeatureError(
            f"{rows.height} rows are too few to search on; it takes {int(FOLDS / JUDGED)}, known before the gate's days"
        )
    parts = []
    for start in (rows.height - size * count for count in range(FOLDS, 0, -1)):
        known, judged = rows.head(start), rows.slice(start, size)
        parts.append((known.filter(*known_by(judged[EVENT_TIME][0])) if known_by else known, judged))
    return parts
