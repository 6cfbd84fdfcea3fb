"""What every part of a declaration is: frozen, validated at construction, unknown keys refused."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from everfit.errors import DeclarationError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Part(BaseModel):
    """A frozen part of a declaration; a bad value raises :class:`DeclarationError` that names the field."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise DeclarationError(_message(type(self).__name__, values, error)) from error


def _message(part: str, values: dict[str, Any], error: ValidationError) -> str:
    """One line a mistake: ``Model electricity_price: gate.folds: Input should be …, got 0``."""
    label = " ".join(filter(None, [part, str(values.get("name", ""))]))
    lines = []
    for mistake in error.errors():
        field = ".".join(map(str, mistake["loc"])) or "declaration"
        what = mistake["msg"].removeprefix("Value error, ")
        got = "" if mistake["type"] in ("missing", "value_error") else f", got {mistake['input']!r}"
        lines.append(f"{label}: {field}: {what}{got}")
    return "\n".join(lines)


def name_flaw(value: Any) -> str | None:
    """Why a value is no name, such as a default that a subclass gives; None for a name."""
    try:
        TypeAdapter(Name).validate_python(value)
    except ValidationError:
        return f"{value!r}; a name is up to 63 lower-case letters, digits and underscores, a letter first"
    return None


def require_unique(what: str, names: list[str]) -> None:
    """Refuse a name that is declared twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} declared twice; every name must be its own")


def call_fault(function: Callable[..., Any], *names: str) -> str:
    """Why a function cannot be called with as many arguments as there are names; empty where it can."""
    try:
        inspect.signature(function).bind(*names)
    except TypeError as error:
        return str(error)
    return ""
