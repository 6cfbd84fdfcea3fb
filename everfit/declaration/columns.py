"""Columns of sources and requests: categories, numbers and times."""

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from everfit.declaration.number_range import LARGEST
from everfit.declaration.part import Name, Part
from everfit.declaration.views import Kind


class Column(Part):
    """A named, typed column. ``nullable`` says whether a null is a value like another."""

    kind: ClassVar[Kind | Literal["time"]]
    name: Name
    nullable: bool = False


class Category(Column):
    """A string from an open set."""

    kind = "category"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **values)


Outside = Literal["refuse", "clip", "keep"]


class Numeric(Column):
    """What a number's declaration says beside its name.

    ``missing`` lists values that stand for nothing, as -3.4e38 does on maps: every door reads them as null, so that the column
    is nullable. ``outside`` says what becomes of a value beyond ``between``: it is refused, taken as the nearest bound, or kept
    and counted by quality. Where it is left out sources refuse and requests keep.
    """

    kind = "number"
    outside: Outside | None = None
    missing: list[float] = []

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        between: tuple[float, float] | None = getattr(self, "between", None)
        if between is not None and not -LARGEST <= between[0] <= between[1] <= LARGEST:
            raise ValueError(f"between={between}: the lower bound comes first, and neither lies beyond ±{LARGEST:g}")
        if self.outside is not None and between is None:
            raise ValueError(f"outside={self.outside!r} says nothing without between=(low, high)")
        if self.missing and not self.nullable:
            raise ValueError(f"missing={self.missing} is read as null; let the column be nullable")
        return self


class Number(Numeric):
    """A float64 within ±1e37, and within ``between`` (both ends included) where it is declared."""

    between: tuple[float, float] | None = None

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **_implied(values))


class Integer(Numeric):
    """A whole number, within ``between`` (both ends included) where it is declared.

    In a source it has 64 bits and is exact. What is a model's input is a float64: a request's lies within ±2^53, and so does
    what a view takes as a number. An id that may be larger is a Category of the request, and a view's key.
    """

    between: tuple[int, int] | None = None

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **_implied(values))


def _implied(values: dict[str, Any]) -> dict[str, Any]:
    """A column with missing values is nullable."""
    return ({"nullable": True} if values.get("missing") else {}) | values


class Time(Column):
    """A moment, UTC, to the microsecond."""

    kind = "time"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **values)
