"""A hash of what a function computes: over its source and everything of its own package that it refers to.

Comments, formatting, docstrings and decorators are left out, so that a view's function does not change with its features.
"""

import ast
import hashlib
import inspect
import linecache
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@cache
def function_version(function: Callable[..., Any]) -> str:
    """SHA-256 over a function and the functions, classes and constants of its package that it may use.

    It is the same in every process with the same code: sets are ordered, and addresses of objects are left out.
    """
    parts: dict[str, str] = {}
    _collect(function, parts, set())
    return hashlib.sha256(repr(sorted(parts.items())).encode()).hexdigest()


@cache
def class_version(kind: type) -> str:
    """The same over a class, and what its methods may use."""
    parts: dict[str, str] = {}
    _collect_value(kind.__qualname__, kind, _package(kind), parts, set())
    return hashlib.sha256(repr(sorted(parts.items())).encode()).hexdigest()


def _collect(function: Any, parts: dict[str, str], visited: set[Any]) -> None:
    if isinstance(function, partial):
        parts[f"partial:{_text(function.func):.80}"] = _text([list(function.args), function.keywords])
        function = function.func
    if not isinstance(function, FunctionType) or function in visited:
        return
    visited.add(function)
    name = f"{function.__module__}.{function.__qualname__}"
    while name in parts:  # a wrapper has the name of what it wraps
        name += "'"
    parts[name] = _source(function)
    package = _package(function)
    for used, value in _used(function):
        _collect_value(f"{name}:{used}", value, package, parts, visited)


def _collect_value(name: str, value: Any, package: str, parts: dict[str, str], visited: set[Any]) -> None:
    if isinstance(value, FunctionType | partial):
        if _package(value.func if isinstance(value, partial) else value) == package:
            _collect(value, parts, visited)
    elif isinstance(value, type):
        if _package(value) == package and value not in visited:
            visited.add(value)
            parts[name] = _source(value)
            for member in vars(value).values():
                method = getattr(member, "__func__", getattr(member, "fget", member))
                if isinstance(method, FunctionType):
                    _collect(method, parts, visited)
    elif not isinstance(value, ModuleType) and not callable(value):
        parts[name] = _text(value)


def _package(value: Any) -> str:
    return str(getattr(value, "__module__", "") or "").split(".")[0]


def _used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function may use of its module, of modules of its package, and of enclosing functions."""
    names = list(dict.fromkeys(_names(function.__code__)))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType) and value.__name__.split(".")[0] == _package(function):
            yield from _of_module(name, value, names)
        elif value is not None:
            yield name, value
    yield from ((f"default {n}", value) for n, value in enumerate(function.__defaults__ or ()))
    yield from (function.__kwdefaults__ or {}).items()
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            continue


def _of_module(name: str, module: ModuleType, names: list[str]) -> Iterator[tuple[str, Any]]:
    for used in names:
        value = vars(module).get(used)
        if isinstance(value, ModuleType) and value is not module and value.__name__.startswith(module.__name__ + "."):
            yield from _of_module(f"{name}.{used}", value, names)
        elif used in vars(module):
            yield f"{name}.{used}", value


def _names(code: CodeType) -> Iterator[str]:
    """The global names that a function's code and the functions inside it may use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _source(value: Any) -> str:
    """The syntax tree of a function or class as text; its bytecode where it has no source file."""
    try:
        tree = ast.parse(textwrap.dedent(_lines(value)))
    except (OSError, TypeError, SyntaxError):  # a lambda inside an expression is not a statement
        code = getattr(value, "__code__", None)
        return repr((code.co_code, _text(list(code.co_consts)))) if code else repr(value)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node in tree.body:
                node.decorator_list = []
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _lines(value: Any) -> str:
    """The source of a function, by its code: a wrapper is not what it wraps, which is among what it uses. Or of a class.

    ``inspect.getsource`` gives the same of a function, after a search through all modules that are loaded.
    """
    if not isinstance(value, FunctionType):
        return inspect.getsource(value)
    lines = linecache.getlines(value.__code__.co_filename, value.__globals__)[value.__code__.co_firstlineno - 1 :]
    if not lines:
        raise OSError(f"{value!r} has no source file")
    return "".join(inspect.getblock(lines))


def _text(value: Any) -> str:
    """A value as text that is the same in every process."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{_text(key)}: {_text(item)}" for key, item in value.items())) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(_text, value))) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, CodeType):
        return repr((value.co_code, value.co_names, _text(list(value.co_consts))))
    for exact in ("to_dicts", "to_dict", "tolist"):  # frames, series and arrays, whose repr is abbreviated
        if hasattr(value, exact):
            return f"{type(value).__name__}({_text(getattr(value, exact)())})"
    return _ADDRESS.sub("", repr(value))
