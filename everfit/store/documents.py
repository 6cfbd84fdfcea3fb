"""JSON documents of the tables as columns. Reading never fails: a value that cannot be read is null.

Postgres writes numbers of JSONB in full: 1e39 becomes forty digits, which Polars' reader takes for an integer beyond its range,
and then refuses the whole column.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from everfit.declaration.number_range import LARGEST, WHOLE

Types = Mapping[str, pl.DataType]


def from_json(documents: pl.Series, types: Types, missing: Mapping[str, Sequence[float]]) -> pl.DataFrame:
    """Documents as columns of these types.

    A number beyond float64 is infinite; values of another type are null, as are the numbers declared as missing, by column.
    """
    read = {name: pl.List(pl.Float64) if isinstance(kind, pl.Array) else kind for name, kind in types.items()}
    try:
        decoded = documents.str.json_decode(pl.Struct(read)).struct.unnest()
    except pl.exceptions.ComputeError:
        rows = [msgspec.json.decode(document, type=dict[str, Any]) for document in documents]
        columns = {name: [_fitting(row.get(name), kind) for row in rows] for name, kind in read.items()}
        decoded = pl.DataFrame(columns, schema=read)
    decoded = decoded.with_columns(_vector(name, kind) for name, kind in types.items() if isinstance(kind, pl.Array))
    nothing = {name: [pl.col(name) != pl.lit(value, pl.Float64) for value in values] for name, values in missing.items()}
    return decoded.with_columns(pl.when(*there).then(pl.col(name)).alias(name) for name, there in nothing.items() if there)


def beyond(frame: pl.DataFrame) -> pl.Series:
    """For each row, the count of numbers beyond the largest."""
    numbers = [name for name, kind in frame.schema.items() if kind.is_float()]
    counts = [(pl.col(name).abs() > LARGEST).fill_null(value=False).cast(pl.UInt32) for name in numbers]
    return frame.select(pl.sum_horizontal(counts)).to_series() if counts else pl.zeros(frame.height, pl.UInt32, eager=True)


def bounded(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with null for every number beyond the largest."""
    numbers = [name for name, kind in frame.schema.items() if kind.is_float()]
    return frame.with_columns(pl.when(pl.col(name).abs() <= LARGEST).then(pl.col(name)).alias(name) for name in numbers)


def _vector(name: str, kind: pl.Array) -> pl.Expr:
    """A column of lists as vectors of this type; null where a list has another length, or a component cannot be read."""
    given = pl.col(name)
    whole = (given.list.len() == kind.size) & (given.list.eval(pl.element().abs() <= LARGEST).list.sum() == kind.size)
    return pl.when(whole).then(given).cast(kind)


def _fitting(value: Any, kind: pl.DataType) -> Any:
    if isinstance(kind, pl.List):
        return [_fitting(component, pl.Float64()) for component in value] if isinstance(value, list) else None
    if value is None or isinstance(value, bool):
        return value if kind == pl.Boolean else None
    if kind == pl.String:
        return value if isinstance(value, str) else str(value)
    return _number(value, kind) if isinstance(value, int | float) and kind != pl.Boolean else None


def _number(value: float, kind: pl.DataType) -> float | None:
    if kind.is_integer():
        return int(value) if abs(value) <= WHOLE else None
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
