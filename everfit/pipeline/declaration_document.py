"""A declaration as a document that JSON can hold: every value, and of every function and class its name and version.

What a callable is given, such as the password in ``partial(read, password=…)``, is on no record: it is hashed into its version.
"""

import hashlib
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from functools import partial, singledispatch
from types import FunctionType, MethodType
from typing import Any

import msgspec

from everfit.declaration import Model
from everfit.declaration.part import Part
from everfit.features.fingerprint import class_version, function_version
from everfit.timing import format_time

VERSION_DIGITS = 12
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def declaration_document(model: Model) -> dict[str, Any]:
    """The whole declaration: a part is an object with its class under ``class``; times are in UTC, durations in seconds."""
    document: dict[str, Any] = _document(model)
    return document


def declaration_id(document: Mapping[str, Any]) -> str:
    """The SHA-256 that names a declaration: it changes with any value, and with the code of what the declaration is given."""
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


def declared_code(value: Any) -> Iterator[Any]:
    """The functions and classes in a declaration, the classes of its parts included."""
    if isinstance(value, FunctionType | type):
        yield value
        return
    yield type(value)
    for _, inner in _parts(value):
        yield from declared_code(inner)


@singledispatch
def _document(value: Any) -> Any:
    """A part with its class and all that it consists of; what is not made of parts, as it writes itself."""
    if inner := dict(_parts(value)):
        whole = _class(type(value)) | {str(name): _document(each) for name, each in inner.items()}
    else:
        whole = _class(type(value)) | {"written": _ADDRESS.sub("", repr(value))}
    return _called(value, whole) if callable(value) and not isinstance(value, Part) else whole


def _called(value: Any, whole: Mapping[str, Any]) -> dict[str, str]:
    """A callable that is more than a function, without what it holds."""
    called = value.func if isinstance(value, partial) else value
    named = called if hasattr(called, "__qualname__") else type(called)
    return {"function": _name(named), "version": declaration_id(whole)[:VERSION_DIGITS]}


@_document.register(type(None))
@_document.register(bool)
def _plain(value: bool | None) -> bool | None:
    return value


@_document.register
def _text(value: str) -> str:
    return str.__str__(value)  # JSON takes no class of another library's, such as numpy's text and numbers


@_document.register
def _whole_number(value: int) -> int:
    return int(value)


@_document.register
def _number(value: float) -> float | str:
    return float(value) if math.isfinite(value) else repr(float(value))


@_document.register(datetime)
def _moment(value: datetime) -> str:
    return format_time(value)


@_document.register(date)
def _day(value: date) -> str:
    return value.isoformat()


@_document.register
def _duration(value: timedelta) -> float:
    return value.total_seconds()


@_document.register
def _function(value: FunctionType) -> dict[str, str]:
    return {"function": _name(value), "version": function_version(value)[:VERSION_DIGITS]}


@_document.register
def _kind(value: type) -> dict[str, str]:
    return {"class": _name(value), "version": class_version(value)[:VERSION_DIGITS]}


@_document.register(Mapping)
def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {_ADDRESS.sub("", str(name)): _document(inner) for name, inner in value.items()}


@_document.register(list)
@_document.register(tuple)
def _sequence(value: Sequence[Any]) -> list[Any]:
    return [_document(each) for each in value]


@_document.register(set)
@_document.register(frozenset)
def _set(value: Collection[Any]) -> list[Any]:
    return sorted(map(_document, value), key=msgspec.json.encode)


def _class(kind: type) -> dict[str, str]:
    """The class of a part, with its version where it is not everfit's: the stages' versions follow those."""
    own = kind.__module__.partition(".")[0] == "everfit"
    return {"class": _name(kind)} | ({} if own else {"version": class_version(kind)[:VERSION_DIGITS]})


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """What a value consists of, each by its name; nothing of one that is not made of parts."""
    match value:
        case Part():
            yield from value
        case Mapping():
            yield from value.items()
        case list() | tuple() | set() | frozenset():
            yield from enumerate(value)
        case MethodType():
            yield from {"function": value.__func__, "object": value.__self__}.items()
        case partial():
            yield from {"function": value.func, "arguments": value.args, "keywords": value.keywords}.items()
        case _ if is_dataclass(value):
            yield from ((field.name, getattr(value, field.name)) for field in fields(value))


def _name(defined: Any) -> str:
    return f"{defined.__module__}.{defined.__qualname__}"
