"""Which features carry no information in the rows that are trained on: they are left out, and the fit goes on without them."""

from typing import TYPE_CHECKING

from everfit.declaration.values import shown
from everfit.evidence.column_statistics import varies
from everfit.training.arrays import Features

if TYPE_CHECKING:
    import polars as pl


def left_out(features: Features, frame: "pl.DataFrame") -> dict[str, str]:
    """The features that are null, or the same in every row, each with the reason.

    The ready recipes give them no weight: one that begins to vary has no effect until a model was trained on it.
    """
    reasons = {}
    for name, kind in features:
        column = frame[name].drop_nulls()
        if kind == "number":
            column = column.cast(float)
            column = column.filter(column.is_finite())
        if column.is_empty():
            reasons[name] = "holds no value"
        elif len(column) == frame.height and not varies(column):
            reasons[name] = f"is always {shown(column[:1].to_list()[0])}"
    return reasons
