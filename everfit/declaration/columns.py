"""Columns of sources and requests: numbers, categories, flags, texts, vectors, times. A kind of column is a class."""

from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from everfit.declaration import values
from everfit.declaration.number_range import LARGEST
from everfit.declaration.part import Name, Part
from everfit.declaration.values import Door, Outside, Reader
from everfit.declaration.views import MOST_COMPONENTS, Kind
from everfit.timing import parse_time

if TYPE_CHECKING:
    import polars as pl


class Column(Part):
    """A named, typed column. ``nullable`` says whether a null is a value like another.

    ``description`` and ``unit`` are for people; no version of anything changes with them.

    A subclass says what its values are: ``kind``; ``datatype``, of the Open Inference Protocol, where it may be a field of a
    request; :meth:`frame_type`; :meth:`reader`.
    """

    kind: ClassVar[str]
    datatype: ClassVar[str]
    name: Name
    nullable: bool = False
    description: str = ""
    unit: str = ""

    @property
    def input_kind(self) -> Kind:
        """What the column is as an input of a model."""
        return self.kind

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one value, as in the Open Inference Protocol."""
        return ()

    def frame_type(self) -> "pl.DataType":
        """The type of the column in a frame of its source's rows."""
        raise NotImplementedError(f"{type(self).__name__} has no frame_type; define it")

    def reader(self, door: Door, *, named: bool) -> Reader:
        """What maps a value that is not null to how it is kept; see :func:`everfit.declaration.doors.reader`."""
        raise NotImplementedError(f"{type(self).__name__} has no reader; define it")


class Worded(Column):
    """A column of texts, whatever they are read for."""

    datatype = "BYTES"

    def frame_type(self) -> "pl.DataType":
        """Text."""
        import polars as pl

        return pl.String()

    def reader(self, door: Door, *, named: bool) -> Reader:  # noqa: ARG002 - the same everywhere
        """Text without NUL."""
        return values.text


class Category(Worded):
    """A text from an open set: the name of something."""

    kind = "category"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **values)


class Text(Worded):
    """A text that is read for what it says, such as a headline."""

    kind = "text"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **values)


class Flag(Column):
    """Yes or no: ``true`` or ``false``."""

    kind = "flag"
    datatype = "BOOL"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **values)

    def frame_type(self) -> "pl.DataType":
        """A truth value."""
        import polars as pl

        return pl.Boolean()

    def reader(self, door: Door, *, named: bool) -> Reader:  # noqa: ARG002 - the same everywhere
        """A truth value, not a word or number for it."""
        return values.flag


class Vector(Column):
    """A list of ``size`` float32 numbers, such as the embedding of a text or picture."""

    kind = "vector"
    datatype = "FP32"
    size: int = Field(ge=1, le=MOST_COMPONENTS)

    def __init__(self, name: str, size: int, **values: Any) -> None:
        super().__init__(name=name, **({"size": size} | values))

    @property
    def input_kind(self) -> Kind:
        """With the number of components."""
        return f"vector[{self.size}]"

    @property
    def shape(self) -> tuple[int, ...]:
        """One axis of all components."""
        return (self.size,)

    def frame_type(self) -> "pl.DataType":
        """An array of float32."""
        import polars as pl

        return pl.Array(pl.Float32, self.size)

    def reader(self, door: Door, *, named: bool) -> Reader:  # noqa: ARG002 - the same everywhere
        """All components, finite numbers, as float32."""
        return values.vector(self.size)


class Numeric(Column):
    """What a number's declaration says beside its name.

    ``missing`` lists values that stand for nothing, as -3.4e38 does on maps: every door reads them as null, so that the column
    is nullable. ``outside`` says what becomes of a value beyond ``between``: it is refused, taken as the nearest bound, or kept
    and counted by quality. Where it is left out sources refuse and requests keep.
    """

    kind = "number"
    outside: Outside | None = None
    missing: list[float] = []
    between: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        between = self.between
        if between is not None and not -LARGEST <= between[0] <= between[1] <= LARGEST:
            raise ValueError(f"between={between}: the lower bound comes first, and neither lies beyond ±{LARGEST:g}")
        if self.outside is not None and between is None:
            raise ValueError(f"outside={self.outside!r} says nothing without between=(low, high)")
        if self.missing and not self.nullable:
            raise ValueError(f"missing={self.missing} is read as null; let the column be nullable")
        return self

    def _bounded(self, door: Door, read: Reader) -> Reader:
        """What reads a number and holds it against the declared bounds."""
        return values.within(self.between, self.outside or values.OUTSIDE[door], read)


class Number(Numeric):
    """A float64 within ±1e37, and within ``between`` (both ends included) where it is declared."""

    datatype = "FP64"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **_implied(values))

    def frame_type(self) -> "pl.DataType":
        """A float64."""
        import polars as pl

        return pl.Float64()

    def reader(self, door: Door, *, named: bool) -> Reader:
        """A float64; where it tells rows apart it is not rounded."""
        return self._bounded(door, values.unrounded if named else values.number)


class Integer(Numeric):
    """A whole number, within ``between`` (both ends included) where it is declared.

    In a source it has 64 bits and is exact. What is a model's input is a float64: a request's lies within ±2^53, and so does
    what a view takes as a number. An id that may be larger is a Category of the request, and a view's key.
    """

    datatype = "INT64"
    between: tuple[int, int] | None = None

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **_implied(values))

    def frame_type(self) -> "pl.DataType":
        """A whole number of 64 bits."""
        import polars as pl

        return pl.Int64()

    def reader(self, door: Door, *, named: bool) -> Reader:  # noqa: ARG002 - never rounded
        """A whole number: of 64 bits in a source, one that a float64 holds at a request."""
        return self._bounded(door, values.whole if door == "source" else values.whole_input)


def _implied(values: dict[str, Any]) -> dict[str, Any]:
    """A column with missing values is nullable."""
    return ({"nullable": True} if values.get("missing") else {}) | values


class Time(Column):
    """A moment, UTC, to the microsecond."""

    kind = "time"

    def __init__(self, name: str, **values: Any) -> None:
        super().__init__(name=name, **values)

    def frame_type(self) -> "pl.DataType":
        """Microseconds, UTC."""
        import polars as pl

        return pl.Datetime("us", "UTC")

    def reader(self, door: Door, *, named: bool) -> Reader:  # noqa: ARG002 - the same everywhere
        """A moment with its timezone."""
        return parse_time
