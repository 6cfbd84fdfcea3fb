"""What a function is made of, and so the version of its view, changes with all that decides its values."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from everfit.features.fingerprint import function_version

FACTOR = 2


def scaled(by: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator as users write it: its wrapper has the name of what it wraps."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(rows: Any) -> Any:
            return function(rows) * by

        return wrapper

    return decorate


def times_two(rows: Any) -> Any:
    return rows * 2


def with_default(rows: Any, factor: int = FACTOR) -> Any:
    return rows * factor


class Scale:
    """Holds a constant of its module in a method."""

    def of(self, rows: Any) -> Any:
        return rows * FACTOR


def by_class(rows: Any) -> Any:
    return Scale().of(rows)


def test_a_wrapped_function_is_neither_its_wrapper_nor_wrapped_by_another() -> None:
    made = {function_version(times_two), function_version(scaled(1)(times_two)), function_version(scaled(3)(times_two))}
    assert len(made) == 3


def test_a_default_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = function_version(with_default)
    function_version.cache_clear()
    monkeypatch.setattr(with_default, "__defaults__", (3,))
    assert function_version(with_default) != before


def test_what_a_class_of_the_package_refers_to_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = function_version(by_class)
    function_version.cache_clear()
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert function_version(by_class) != before
