"""Which features say nothing in the rows that are trained on: they are left out, and the fit goes on without them."""

from typing import TYPE_CHECKING

from everfit.training.arrays import Features

if TYPE_CHECKING:
    import polars as pl


def left_out(features: Features, frame: "pl.DataFrame") -> dict[str, str]:
    """The features that hold nothing, or the same in every row, each with why.

    Every trainer gives them no weight: one that comes alive says nothing until a model was trained on it.
    """
    found = {}
    for name, kind in features:
        column = frame[name].drop_nulls()
        if kind == "number":
            column = column.cast(float)
            column = column.filter(column.is_finite())
        if column.is_empty():
            found[name] = "holds no value"
        elif len(column) == frame.height and column.n_unique() == 1:
            found[name] = f"is always {column[0]!r}"
    return found
