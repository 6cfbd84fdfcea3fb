"""Rows whose request lies outside the declared bounds: told, and left out one by one of what is learnt and compared."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from everfit.declaration import Integer, Model, Number

if TYPE_CHECKING:
    import polars as pl


def outside(model: Model, frame: "pl.DataFrame | None" = None) -> "Iterator[tuple[str, tuple[float, float], pl.Expr]]":
    """Each bounded field of the request with its bounds, both included, and what says of a row that it lies outside.

    Of a frame only the fields that it holds as numbers: rows of an earlier schema may lack one.
    """
    import polars as pl

    for column in model.request:
        held = frame is None or (column.name in frame.columns and frame.schema[column.name].is_numeric())
        if held and isinstance(column, Number | Integer) and column.between:
            low, high = column.between
            yield column.name, (low, high), ~pl.col(column.name).is_between(low, high).fill_null(True)


def within(model: Model, frame: "pl.DataFrame") -> "pl.DataFrame":
    """The rows that are within all bounds; a null is."""
    return frame.filter(*(~beyond for _, _, beyond in outside(model, frame)))
