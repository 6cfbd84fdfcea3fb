"""From a frame to the two arrays that every trainer and every exported graph takes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from everfit.declaration.number_range import LARGEST
from everfit.declaration.views import Kind
from everfit.errors import FeatureError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Floats = npt.NDArray[np.float64]
else:
    Floats = Any

Features = Sequence[tuple[str, Kind]]


def names_of(features: Features, kind: Kind) -> list[str]:
    """The features of one kind, in their order."""
    return [name for name, its_kind in features if its_kind == kind]


def split(features: Features, frame: "pl.DataFrame") -> tuple[Floats, Any]:
    """Numbers float64[N, Dn] with null, and what is not finite, as NaN; categories str objects[N, Dc] with null as "".

    Raises:
        FeatureError: when a feature's column is missing, or a number's column does not hold numbers.
    """
    import polars as pl

    missing = [name for name, _ in features if name not in frame.columns]
    if missing:
        raise FeatureError(f"no column {', '.join(map(repr, missing))} in the rows; they have {', '.join(frame.columns)}")
    numbers, categories = names_of(features, "number"), names_of(features, "category")
    for name in numbers:
        kind = frame.schema[name]
        if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
            raise FeatureError(f"column {name!r} holds {kind}, not numbers; declare it a category or cast it first")
    values = [_numbers(frame[name].cast(pl.Float64)) for name in numbers]
    texts = [frame[name].cast(pl.String).fill_null("") for name in categories]
    return _matrix(values, frame.height, "float64"), _matrix(texts, frame.height, "object")


def _numbers(column: "pl.Series") -> "pl.Series":
    """NaN for a null, and for what lies beyond all numbers that everfit takes: a row of an earlier version may hold one."""
    return column.set(column.abs() > LARGEST, None).fill_null(float("nan"))


def _matrix(columns: "Sequence[pl.Series]", rows: int, kind: str) -> Any:
    import numpy as np

    matrix = np.empty((rows, len(columns)), dtype=kind)
    for i, column in enumerate(columns):
        matrix[:, i] = column.to_numpy()
    return matrix
