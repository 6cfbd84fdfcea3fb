"""The functions that a user gives a recipe: refused where they cannot be called, recorded by their names."""

from collections.abc import Callable
from typing import Any

from everfit.declaration.part import call_fault


def require_function(function: Any, field: str, arguments: tuple[str, ...]) -> Any:
    """The function.

    Raises:
        ValueError: when it is none, or takes other arguments.
    """
    wanted = f"{field}({', '.join(arguments)})"
    if not callable(function) or not hasattr(function, "__qualname__"):
        raise ValueError(f"{function!r} is no function; give one that is called as {wanted}")
    if fault := call_fault(function, *arguments):
        raise ValueError(f"{function.__name__} cannot be called as {wanted}: {fault}")
    return function


def recorded(function: Callable[..., Any] | None) -> str | None:
    """The function by its module and name."""
    return None if function is None else f"{function.__module__}.{function.__qualname__}"
