"""Which logged rows say something about all that were asked, where a model's decisions choose which outcomes are seen.

A row counts 1 / p times, p the probability with which its outcome is seen (Horvitz and Thompson, 1952). The log has p: the
share that was explored when the row was answered.
"""

from typing import TYPE_CHECKING

from everfit.declaration import Model
from everfit.declaration.exploration import Exploration
from everfit.declaration.reserved_columns import EXPLORED, SCORE, WEIGHT
from everfit.errors import DeclarationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl


def weighed(model: Model, rows: "pl.DataFrame") -> "pl.DataFrame":
    """The rows that count, with how much as WEIGHT; all of them, and as they are, of a model that does not explore.

    Args:
        model: the declaration.
        rows: answers that clients got, with SCORE and EXPLORED.

    Raises:
        DeclarationError: when ``seen`` of the user's fails, or gives something else than a boolean a row.
    """
    import polars as pl

    if (exploration := model.exploration) is None:
        return rows
    is_seen = pl.Series(_seen(exploration, rows), dtype=pl.Boolean)
    weight = pl.when(is_seen).then(1.0).otherwise(1 / pl.col(EXPLORED))  # infinite where nothing shows it
    return rows.with_columns(weight.alias(WEIGHT)).filter(pl.col(WEIGHT).is_finite())


def drawn_by_chance(model: Model, rows: "pl.DataFrame") -> "pl.DataFrame":
    """The explored rows, which are like all that were asked: each counts alike, by whatever they are compared.

    Of a model that does not explore, and of rows that were put together before it did, these are all.
    """
    return rows.filter(rows[EXPLORED] > 0) if model.exploration and EXPLORED in rows.columns else rows


def _seen(exploration: Exploration, rows: "pl.DataFrame") -> "npt.NDArray[np.bool_]":
    """Whether the outcome of each row is seen without being explored."""
    import numpy as np

    if exploration.seen is None:
        return np.zeros(rows.height, dtype=np.bool_)
    call = f"exploration: {getattr(exploration.seen, '__name__', 'seen')}(answers)"
    try:
        found = np.asarray(exploration.seen(np.array(rows[SCORE].to_numpy())))
    except Exception as error:  # a user's function may raise anything
        what = f"{call} fails by {type(error).__name__}: {error}"
        raise DeclarationError(f"{what}; return a boolean for each row, whether its outcome is seen") from error
    if found.dtype != np.bool_ or found.shape != (rows.height,):
        what = f"{call} returns {found.dtype} of shape {list(found.shape)} for {rows.height} rows"
        raise DeclarationError(f"{what}; return a boolean for each row, whether its outcome is seen")
    return found
