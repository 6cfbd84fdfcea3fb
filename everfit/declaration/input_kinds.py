"""The kinds of a model's inputs: ``number``, ``category``, ``flag``, ``text``, and ``vector[384]``, which has its size."""

from typing import TYPE_CHECKING

from everfit.declaration.views import Kind

if TYPE_CHECKING:
    import polars as pl

NUMERIC: tuple[Kind, ...] = ("number", "flag")  # what stands among the numbers of a graph; a flag is 0 or 1

WORDS: tuple[Kind, ...] = ("category", "text")  # what is held as text


def size_of(kind: Kind) -> int:
    """Number of components of a vector; 0 of any other kind."""
    return int(kind[len("vector[") : -1]) if kind.startswith("vector[") else 0


def frame_type(kind: Kind) -> "pl.DataType":
    """The type of an input of this kind in a frame."""
    import polars as pl

    if size := size_of(kind):
        return pl.Array(pl.Float32, size)
    return {"number": pl.Float64(), "flag": pl.Boolean()}.get(kind, pl.String())
