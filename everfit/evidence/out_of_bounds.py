"""Rows whose request lies outside the declared bounds: reported, and left out of training and comparison."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from everfit.declaration import Integer, Model, Number

if TYPE_CHECKING:
    import polars as pl


def outside(model: Model, frame: "pl.DataFrame | None" = None) -> "Iterator[tuple[str, tuple[float, float], pl.Expr]]":
    """Each bounded field of the request with its bounds, both included, and an expression that is true for rows outside them.

    With a frame, only its numeric fields: rows of an earlier schema may lack some.
    """
    import polars as pl

    for column in model.request:
        is_numeric = frame is None or (column.name in frame.columns and frame.schema[column.name].is_numeric())
        if is_numeric and isinstance(column, Number | Integer) and column.between:
            low, high = column.between
            yield column.name, (low, high), ~pl.col(column.name).is_between(low, high).fill_null(True)


def within(model: Model, frame: "pl.DataFrame") -> "pl.DataFrame":
    """The rows that are within all bounds; a null is."""
    return frame.filter(*(~beyond for _, _, beyond in outside(model, frame)))
