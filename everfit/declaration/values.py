"""The values of declared columns, as every door takes them: rows of sources, requests to serving."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from everfit.declaration.number_range import EXACT, LARGEST, WHOLE, is_exact

if TYPE_CHECKING:
    from everfit.declaration.columns import Column

Door = Literal["source", "request"]
Outside = Literal["refuse", "clip", "keep"]  # what becomes of a number beyond its bounds
Reader = Callable[[Any], Any]  # to float, int, str, datetime or None

MOST_SHOWN = 80  # characters of a value in a message
OUTSIDE: dict[Door, Outside] = {"source": "refuse", "request": "keep"}  # where the declaration does not say


def reader(column: "Column", door: Door, *, named: bool = False) -> Reader:
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
    missing = frozenset(getattr(column, "missing", ()))
    of_kind = column.reader(door, named=named)

    def read(value: Any) -> Any:
        if value is None or (missing and _is_number(value) and value in missing):
            if nullable:
                return None
            read_as = "" if value is None else f"{shown(value)} stands for "
            raise ValueError(f"{read_as}null, and the column is not nullable")
        try:
            return of_kind(value)
        except ValueError as error:
            raise ValueError(f"{shown(value)} does not fit: {error}") from error

    return read


def naming_fault(names: Sequence[str], given: Iterable[str], noun: str) -> str:
    """Which names are unknown, or else missing, as ``missing column 'a', 'b'``; empty where they are the declared ones.

    Args:
        names: those that are declared.
        given: those that came.
        noun: what they name.
    """
    came = set(given)
    for what, wrong in (("unknown", came.difference(names)), ("missing", set(names) - came)):
        if wrong:
            return f"{what} {noun} {', '.join(map(repr, sorted(wrong)))}"
    return ""


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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: Any) -> float:
    if not _is_number(value) or not abs(value) < float("inf"):
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
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("a category is text, without NUL")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"no Unicode text: {error.reason}") from error
    return value
