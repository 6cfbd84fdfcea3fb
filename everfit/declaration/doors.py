"""Values and names as every door takes them, rows of sources and requests to serving alike: held against what is declared."""

from collections.abc import Iterable, Sequence
from typing import Any

from everfit.declaration.columns import Column
from everfit.declaration.values import Door, Reader, is_number, shown


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
    missing = frozenset(getattr(column, "missing", ()))
    of_kind = column.reader(door, named=named)

    def read(value: Any) -> Any:
        if value is None or (missing and is_number(value) and value in missing):
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
