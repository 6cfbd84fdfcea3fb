"""The values of declared columns, as every door takes them: rows of sources, requests to serving."""

from collections.abc import Callable
from typing import Any, Literal

from everfit.declaration import Column, Integer, Number, Outside, Time
from everfit.declaration.number_range import EXACT, LARGEST, WHOLE, is_exact
from everfit.timing import parse_time

Door = Literal["source", "request"]
Reader = Callable[[Any], Any]  # to float, int, str, datetime or None

MOST_SHOWN = 80  # characters of a value in a message
_OUTSIDE: dict[Door, Outside] = {"source": "refuse", "request": "keep"}  # where the declaration does not say


def reader(column: Column, door: Door, *, named: bool = False) -> Reader:
    """What checks and reads one value of a column.

    Args:
        column: as it is declared.
        door: where the value comes in. At ``request`` it is a model's input, a float64; in a ``source`` an Integer has 64 bits.
        named: whether the value tells rows apart or orders them: no null is taken then, and no rounding.

    Returns:
        What maps a value to float, int (of an Integer), text, moment or None (a null, or a number declared as missing); it
        raises ValueError that says with the value why it does not fit.
    """
    nullable = column.nullable and not named
    missing = frozenset(column.missing) if isinstance(column, Number | Integer) else frozenset()
    of_kind = _of_kind(column, door, named=named)

    def read(value: Any) -> Any:
        if value is None or (missing and _is_number(value) and value in missing):
            if nullable:
                return None
            told = "" if value is None else f"{shown(value)} stands for "
            raise ValueError(f"{told}null, and the column is not nullable")
        try:
            return of_kind(value)
        except ValueError as error:
            raise ValueError(f"{shown(value)} does not fit: {error}") from error

    return read


def shown(value: Any) -> str:
    """A value as a message shows it, however long."""
    if isinstance(value, int) and abs(value) > 10**MOST_SHOWN:
        return f"a whole number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _of_kind(column: Column, door: Door, *, named: bool) -> Reader:
    if isinstance(column, Integer):
        return _within(column, door, _whole if door == "source" else _whole_input)
    if isinstance(column, Number):
        return _within(column, door, _unrounded if named else _number)
    return parse_time if isinstance(column, Time) else _text


def _within(column: Number | Integer, door: Door, read: Callable[[Any], float]) -> Reader:
    """What reads a number and holds it against its declared bounds."""
    if column.between is None:
        return read
    low, high = column.between
    outside = column.outside or _OUTSIDE[door]
    if outside == "keep":
        return read

    def bounded(value: Any) -> float:
        number = read(value)
        if low <= number <= high:
            return number
        if outside == "refuse":
            raise ValueError(f"outside its bounds {low} to {high}")
        return low if number < low else high

    return bounded


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: Any) -> float:
    if not _is_number(value) or not abs(value) < float("inf"):
        raise ValueError("not a finite number" + ("; write yes and no as 1 and 0" if isinstance(value, bool) else ""))
    if abs(value) > LARGEST:
        raise ValueError(f"beyond ±{LARGEST:g}; declare missing=[…] where it stands for nothing")
    number: float = value
    return number


def _number(value: Any) -> float:
    return float(_finite(value)) + 0.0  # Postgres knows no negative zero


def _unrounded(value: Any) -> float:
    number = _number(value)
    if number != value:
        raise ValueError("a whole number that no float64 is; declare an Integer")
    return number


def _whole(value: Any) -> int:
    number = _finite(value)
    if number != int(number):
        raise ValueError("not a whole number")
    if isinstance(number, float) and not is_exact(number):
        raise ValueError("a float from ±2^53 on stands for several whole numbers; hand it over as an integer")
    if abs(number) > WHOLE:
        raise ValueError("beyond 64 bits; declare a Category")
    return int(number)


def _whole_input(value: Any) -> int:
    number = _finite(value)
    if number != int(number):
        raise ValueError("not a whole number")
    if not is_exact(number):
        raise ValueError(f"beyond ±2^53 ({EXACT}), and a model's input is a float64; declare a Category")
    return int(number)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("a category is text, without NUL")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"no Unicode text: {error.reason}") from error
    return value
