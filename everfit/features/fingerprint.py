"""What a function computes, as a hash: over its source and over everything of its own package that it refers to.

Comments, formatting, docstrings and decorators are left out: a view declared with other features has the same function.
"""

import ast
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@cache
def function_version(function: Callable[..., Any]) -> str:
    """SHA-256 over a function, and over the functions, classes and constants of its package that it may use.

    The same in every process that has the same code: sets are taken in order, and no address of an object counts.
    """
    parts: dict[str, str] = {}
    _collect(function, parts)
    return hashlib.sha256(repr(sorted(parts.items())).encode()).hexdigest()


def _collect(function: Any, parts: dict[str, str]) -> None:
    if isinstance(function, partial):
        parts[f"partial:{function.func!r:.80}"] = _text([list(function.args), function.keywords])
        function = function.func
    name = f"{function.__module__}.{function.__qualname__}"
    if name in parts or not isinstance(function, FunctionType):
        return
    parts[name] = _source(function)
    package = _package(function)
    for used, value in _used(function):
        _collect_value(f"{name}:{used}", value, package, parts)


def _collect_value(name: str, value: Any, package: str, parts: dict[str, str]) -> None:
    if isinstance(value, FunctionType | partial):
        if _package(value.func if isinstance(value, partial) else value) == package:
            _collect(value, parts)
    elif isinstance(value, type):
        if _package(value) == package:
            parts[name] = _source(value)
    elif not isinstance(value, ModuleType) and not callable(value):
        parts[name] = _text(value)


def _package(value: Any) -> str:
    return str(getattr(value, "__module__", "") or "").split(".")[0]


def _used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function's code may use of its module, of modules of its package, and of the functions around it."""
    names = list(dict.fromkeys(_names(function.__code__)))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType) and value.__name__.split(".")[0] == _package(function):
            yield from ((f"{name}.{used}", vars(value)[used]) for used in names if used in vars(value))
        elif value is not None:
            yield name, value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            continue


def _names(code: CodeType) -> Iterator[str]:
    """The global names that a function's code and the functions inside it may use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _source(value: Any) -> str:
    """The source of a function or class, as its syntax alone; its bytecode where it was typed in and has no file."""
    try:
        # by its code: a wrapper is not what it wraps, which is found among what it uses
        tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(value, "__code__", value))))
    except (OSError, TypeError, SyntaxError):  # a lambda in the middle of an expression is no statement of its own
        code = getattr(value, "__code__", None)
        return repr((code.co_code, _text(list(code.co_consts)))) if code else repr(value)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node in tree.body:
                node.decorator_list = []
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _text(value: Any) -> str:
    """A value as text that is the same in every process."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{_text(key)}: {_text(held)}" for key, held in value.items())) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(_text, value))) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, CodeType):
        return repr((value.co_code, value.co_names, _text(list(value.co_consts))))
    for exact in ("to_dicts", "to_dict", "tolist"):  # frames, series and arrays, which their own text cuts short
        if hasattr(value, exact):
            return f"{type(value).__name__}({_text(getattr(value, exact)())})"
    return _ADDRESS.sub("", repr(value))
