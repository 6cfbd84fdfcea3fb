"""How values are read: numbers, whole numbers, texts, flags and vectors, within bounds."""

from array import array
from collections.abc import Callable
from typing import Any, Literal

from everfit.declaration.number_range import EXACT, LARGEST, WHOLE, is_exact

Value = bool | float | str | list[float] | None  # of an input; a vector is a list of float32 numbers
Door = Literal["source", "request"]
Outside = Literal["refuse", "clip", "keep"]  # what becomes of a number beyond its bounds
Reader = Callable[[Any], Any]  # to float, int, str, bool, list of floats, datetime or None

MOST_SHOWN = 80  # characters of a value in a message
OUTSIDE: dict[Door, Outside] = {"source": "refuse", "request": "keep"}  # where the declaration does not say


def shown(value: Any) -> str:
    """A value as a message shows it, however long."""
    if isinstance(value, int) and abs(value) > 10**MOST_SHOWN:
        return f"a whole number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def within(between: tuple[float, float] | None, outside: Outside, read: Callable[[Any], float]) -> Reader:
    """What reads a number and holds it against its bounds, where it has any."""
    if between is None or outside == "keep":
        return read
    low, high = between

    def bounded(value: Any) -> float:
        number = read(value)
        if low <= number <= high:
            return number
        if outside == "refuse":
            raise ValueError(f"outside its bounds {low} to {high}")
        return low if number < low else high

    return bounded


def is_number(value: Any) -> bool:
    """Whether a value is a number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: Any) -> float:
    if not is_number(value) or not abs(value) < float("inf"):
        raise ValueError("not a finite number" + ("; write yes and no as 1 and 0" if isinstance(value, bool) else ""))
    if abs(value) > LARGEST:
        raise ValueError(f"beyond ±{LARGEST:g}; declare missing=[…] where it stands for nothing")
    taken: float = value
    return taken


def number(value: Any) -> float:
    """A float64."""
    return float(_finite(value)) + 0.0  # Postgres knows no negative zero


def unrounded(value: Any) -> float:
    """A float64 that is the value itself."""
    taken = number(value)
    if taken != value:
        raise ValueError("a whole number that no float64 is; declare an Integer")
    return taken


def whole(value: Any) -> int:
    """A whole number of 64 bits."""
    taken = _integral(value)
    if isinstance(taken, float) and not is_exact(taken):
        raise ValueError("a float from ±2^53 on stands for several whole numbers; hand it over as an integer")
    if abs(taken) > WHOLE:
        raise ValueError("beyond 64 bits; declare a Category")
    return int(taken)


def whole_input(value: Any) -> int:
    """A whole number that a float64 holds."""
    taken = _integral(value)
    if not is_exact(taken):
        raise ValueError(f"beyond ±2^53 ({EXACT}), and a model's input is a float64; declare a Category")
    return int(taken)


def _integral(value: Any) -> float:
    taken = _finite(value)
    if taken != int(taken):
        raise ValueError("not a whole number")
    return taken


def text(value: Any) -> str:
    """Unicode text without NUL."""
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - readers raise ValueError
    if "\0" in value:
        raise ValueError("a text with a NUL character, which no database holds; take it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"no Unicode text: {error.reason}") from error
    return value


def flag(value: Any) -> bool:
    """A truth value."""
    if not isinstance(value, bool):
        raise ValueError("not true or false, without quotes")  # noqa: TRY004 - readers raise ValueError
    return value


def vector(size: int) -> Reader:
    """What reads a vector of so many components, each rounded to float32."""

    def read(value: Any) -> list[float]:
        given = value.tolist() if hasattr(value, "tolist") else value  # of numpy, torch or an array
        if not isinstance(given, list | tuple):
            raise ValueError(f"not a list of {size} numbers")  # noqa: TRY004 - readers raise ValueError
        if len(given) != size:
            raise ValueError(f"{len(given)} components, and the vector has {size}; send all of them, or null")
        for place, component in enumerate(given):
            if not is_number(component) or not abs(component) <= LARGEST:
                raise ValueError(f"component {place} is {shown(component)}, not a finite number within ±{LARGEST:g}")
        return [rounded + 0.0 for rounded in array("f", given)]

    return read
