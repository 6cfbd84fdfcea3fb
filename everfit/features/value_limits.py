"""The limits of values that a view can read, checked when rows are published, so that all that lands can be read."""

import math
from collections.abc import Sequence
from typing import Any

from everfit.declaration.number_range import EXACT, is_exact
from everfit.declaration.views import FeatureView
from everfit.errors import SourceError
from everfit.features.point_in_time import largest

MAX_KEY = 1_000  # bytes: a row of the online state's index has at most 2,704


def limits_of(view: FeatureView) -> list[float | None]:
    """The largest readable magnitude of each of the view's columns, None for what is no number."""
    numbers = view.numbers
    return [largest(view, column) if column in numbers else None for column in view.columns]


def fits(value: Any, limit: float) -> bool:
    """Whether a number can be represented as the float64 that a model receives."""
    return abs(value) <= limit and (not isinstance(value, int) or is_exact(value))


def require_readable(view: FeatureView, key: Any, values: Sequence[Any]) -> None:
    """Refuse a row that the view could not read.

    Args:
        view: the declared view.
        key: the row's key, not null.
        values: the row's values, in the order of ``FeatureView.columns``.

    Raises:
        SourceError: with the column and the value.
    """
    if isinstance(key, float) and not (key.is_integer() and is_exact(key)):
        raise SourceError(
            f"view {view.name}: key {view.key!r} is {key}, not a whole number below 2^53; make it text or an integer"
        )
    if len(str(key).encode()) > MAX_KEY:
        raise SourceError(f"view {view.name}: a key {view.key!r} has {len(str(key).encode())} bytes, of at most {MAX_KEY}")
    for column, value, limit in zip(view.columns, values, limits_of(view), strict=True):
        if value is None or limit is None or not math.isfinite(value) or fits(value, limit):
            continue  # a value that is not finite is read as null
        raise SourceError(f"view {view.name}: {column!r} is {value}, {_reason(view, column, value, limit)}")


def _reason(view: FeatureView, column: str, value: Any, limit: float) -> str:
    if isinstance(value, int) and not is_exact(value):
        return f"beyond ±2^53 ({EXACT}), and a model's input is a float64; take it by kind='category'"
    if column in view.resolutions:
        return (
            f"beyond ±{limit:g}: its sum exceeds 64 bits at resolution {view.resolutions[column]}; declare a larger resolution"
        )
    return f"beyond ±{limit:g}, the limit of all numbers"
