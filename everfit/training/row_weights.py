"""How much each row counts in a fit, by the function that a model declares, and by how probable it was to be seen.

What the function returns is checked before it is used.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from everfit.declaration.reserved_columns import WEIGHT, declared
from everfit.declaration.tasks import Task
from everfit.errors import DeclarationError
from everfit.training.arrays import Floats

if TYPE_CHECKING:
    import polars as pl


def fit_weights(weights: Callable[[Any], Any] | None, rows: "pl.DataFrame", task: Task) -> Floats | None:
    """The weights of rows: those of the function, where there is one, times WEIGHT, where the rows have it; None without both.

    Raises:
        DeclarationError: as :func:`row_weights`.
    """
    own = row_weights(weights, rows, task) if weights else None
    if WEIGHT not in rows.columns:
        return own
    by_propensity: Floats = rows[WEIGHT].to_numpy()
    return by_propensity.copy() if own is None else own * by_propensity


def row_weights(weights: Callable[[Any], Any], rows: "pl.DataFrame", task: Task) -> Floats:
    """The weights of rows, float64[N], positive and finite. The function gets the label by its own name, and ``event_time``.

    Raises:
        DeclarationError: when it raises or returns anything else; the message has the row and the value.
    """
    import numpy as np

    name = f"weights {getattr(weights, '__name__', type(weights).__name__)}"
    try:
        values = np.array(weights(declared(rows, task.label)), dtype=np.float64)
    except Exception as error:  # a user's function may raise anything
        raise DeclarationError(
            f"{name} fails by {type(error).__name__}: {error}; return a positive number for each row"
        ) from error
    if values.shape != (rows.height,):
        raise DeclarationError(f"{name} returns numbers of shape {list(values.shape)} for {rows.height} rows; return one a row")
    wrong = ~((values > 0) & np.isfinite(values))
    if wrong.any():
        row = int(wrong.argmax())
        raise DeclarationError(
            f"{name} gives {values[row]:g} in row {row} of {rows.height}; a weight is a positive, finite number: "
            "leave a row out by the history, not by a weight of 0"
        )
    return values
