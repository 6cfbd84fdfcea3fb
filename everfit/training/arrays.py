"""From a frame to the arrays that every trainer and every exported graph takes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from everfit.declaration.input_kinds import NUMERIC, size_of
from everfit.declaration.number_range import LARGEST
from everfit.declaration.views import Kind
from everfit.errors import FeatureError
from everfit.training.row_file import PORTION_ROWS, let_go

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Floats = npt.NDArray[np.float64]
else:
    Floats = Any

Features = Sequence[tuple[str, Kind]]


class Arrays(NamedTuple):
    """The inputs of N rows.

    Attributes:
        numbers: float64[N, Dn], numbers and flags in their order; a flag is 0 or 1, and NaN stands for null.
        categories: str objects[N, Dc], "" for null.
        texts: of each text, by its feature's name, str objects[N], "" for null.
        vectors: of each vector, by its feature's name, float32[N, size], a row of NaN for null.
    """

    numbers: Floats
    categories: Any
    texts: Mapping[str, Any] = MappingProxyType({})
    vectors: Mapping[str, Any] = MappingProxyType({})


def names_of(features: Features, *kinds: Kind) -> list[str]:
    """The features of these kinds, in their order."""
    return [name for name, kind in features if kind in kinds]


def split(features: Features, frame: "pl.DataFrame") -> Arrays:
    """The arrays of a frame's features; what is not finite, and what lies beyond all numbers that everfit takes, is null.

    Raises:
        FeatureError: when a feature's column is missing, or of a type that does not fit.
    """
    import polars as pl

    missing = [name for name, _ in features if name not in frame.columns]
    if missing:
        raise FeatureError(f"no column {', '.join(map(repr, missing))} in the rows; they have {', '.join(frame.columns)}")
    numbers, categories = names_of(features, *NUMERIC), names_of(features, "category")
    for name in numbers:
        kind = frame.schema[name]
        if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
            raise FeatureError(f"column {name!r} holds {kind}, not numbers; declare it a category or cast it first")
    arrays = Arrays(
        _readable(_matrix([frame[name].cast(pl.Float64) for name in numbers], frame.height, "float64")),
        _matrix([_texts(frame[name]) for name in categories], frame.height, "object"),
        {name: _texts(frame[name]).to_numpy() for name in names_of(features, "text")},
        {name: _vectors(frame[name], size_of(kind)) for name, kind in features if size_of(kind)},
    )
    let_go()
    return arrays


def with_components(arrays: Arrays) -> tuple[Floats, Any]:
    """Numbers float64[N, Dn + sizes], the components of the vectors after the numbers, and categories str objects[N, Dc]."""
    import numpy as np

    if not arrays.vectors:
        return arrays.numbers, arrays.categories
    return np.hstack([arrays.numbers, *arrays.vectors.values()]), arrays.categories


def _readable(numbers: Floats) -> Floats:
    """NaN, in place, for what lies beyond all numbers that everfit takes: a row of an earlier version may hold one."""
    import numpy as np

    for start in range(0, len(numbers), PORTION_ROWS):
        rows = numbers[start : start + PORTION_ROWS]
        rows[~(np.abs(rows) <= LARGEST)] = np.nan
    return numbers


def _texts(column: "pl.Series") -> "pl.Series":
    import polars as pl

    return column.cast(pl.String).fill_null("")


def _vectors(column: "pl.Series", size: int) -> Any:
    """float32[N, size]; a row with a component that is no readable number is NaN as a whole."""
    import numpy as np
    import polars as pl

    if column.dtype == pl.Null:
        return np.full((len(column), size), np.nan, dtype=np.float32)
    if not isinstance(column.dtype, pl.Array) or column.dtype.shape != (size,):
        raise FeatureError(f"column {column.name!r} holds {column.dtype}, not vectors of {size} numbers; cast it to an array")
    values = column.cast(pl.Array(pl.Float32, size)).to_numpy(writable=True)
    values[~(np.abs(values) <= LARGEST).all(axis=1)] = np.nan
    return values


def _matrix(columns: "Sequence[pl.Series]", rows: int, kind: str) -> Any:
    """The columns side by side; a null among numbers is NaN."""
    import numpy as np

    matrix = np.empty((rows, len(columns)), dtype=kind)
    for i, column in enumerate(columns):
        first = 0
        for chunk in column.get_chunks():
            matrix[first : first + len(chunk), i] = chunk.to_numpy()
            first += len(chunk)
    return matrix
