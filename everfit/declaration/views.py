"""Feature views: what is taken from a source, and when it could first be known.

A view is declared, not coded as a join. Its function shapes the rows of one source (row by row: filters and new columns,
nothing that looks at other rows); the decorator says by which key they are looked up, when each row is known, and what is
taken. Everything else (the as-of join offline, the running sums online) is the compiler's business.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from everfit.declaration.values import Value
from everfit.errors import DeclarationError
from everfit.timing import parse_duration

LONGEST = timedelta(days=365_250)
MOST_COMPONENTS = 8_192
KINDS = ("number", "category", "flag", "text", "vector")
Kind = str  # one of KINDS, of a vector with its number of components, as vector[384]
Features = Sequence[tuple[str, Kind]]  # the inputs of a model, in order
Schemas = Mapping[str, Features]  # by schema id


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest known value of a column.

    ``description`` and ``unit`` are for people: neither equality nor the representation, which versions are made of, has them.
    """

    column: str
    kind: Kind = "number"
    description: str = field(default="", compare=False, repr=False)
    unit: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Windowed:
    """A sum, mean or count of a numeric column over the rows known in ``(t - over, t]``.

    Sums are kept as 64-bit integers of ``resolution``, so that they are exact whatever the order and wherever the summing
    began: at 1e-9 the sum of a column's whole history may reach 9.2e9.
    """

    column: str
    statistic: Literal["sum", "mean", "count"]
    over: timedelta
    resolution: float = 1e-9
    kind: Kind = "number"
    description: str = field(default="", compare=False, repr=False)
    unit: str = field(default="", compare=False, repr=False)


Feature = Latest | Windowed


def latest(
    *columns: str, kind: Kind = "number", size: int | None = None, description: str = "", unit: str = ""
) -> dict[str, Feature]:
    """The newest known value of each column, under the column's own name.

    ``kind`` is number, category, flag, text or vector; a vector also has its ``size``, the number of its components.

    Without a ``description`` and a ``unit``, those of the source's column of that name are meant; so it is in ``mean``,
    ``total`` and ``count``.

    Raises:
        DeclarationError: when there is no such kind, or a vector has no size.
    """
    if kind not in KINDS:
        raise DeclarationError(f"latest {', '.join(columns)}: kind={kind!r} is none of {', '.join(KINDS)}")
    if (kind == "vector") != (size is not None) or (size is not None and not 1 <= size <= MOST_COMPONENTS):
        raise DeclarationError(
            f"latest {', '.join(columns)}: size={size} of a {kind}; a vector has a size from 1 to {MOST_COMPONENTS}, as in "
            "latest('embedding', kind='vector', size=384), and no other kind has one"
        )
    taken = kind if size is None else f"{kind}[{size}]"
    return {column: Latest(column, taken, description, unit) for column in columns}


def mean(column: str, *, over: str, resolution: float = 1e-9, description: str = "", unit: str = "") -> Windowed:
    """Mean of a column over a trailing duration; null where no value is known in it."""
    return Windowed(column, "mean", parse_duration(over), resolution, description=description, unit=unit)


def total(column: str, *, over: str, resolution: float = 1e-9, description: str = "", unit: str = "") -> Windowed:
    """Sum of a column over a trailing duration; 0 where no value is known in it."""
    return Windowed(column, "sum", parse_duration(over), resolution, description=description, unit=unit)


def count(column: str, *, over: str, description: str = "") -> Windowed:
    """Number of non-null values of a column over a trailing duration."""
    return Windowed(column, "count", parse_duration(over), description=description)


@dataclass(frozen=True, slots=True)
class FeatureView:
    """A declared view. Made by :func:`feature_view`, never by hand.

    ``shape`` maps a narwhals frame of the source to one with ``key``, ``known_at`` and the columns taken.
    Of rows of one ``(key, known_at)`` only the one with the largest ``tie_break`` (a column) counts; where none is declared
    all count in windows, and the last is the latest. ``default`` is what serving takes, by feature, where the view cannot be
    read or its source is quarantined.
    """

    name: str
    source: str
    key: str
    known_at: str
    ttl: timedelta | None
    features: Mapping[str, Feature]
    tie_break: str | None
    shape: Callable[[Any], Any]
    default: Mapping[str, Value] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns of the shaped source that the features are taken from, each once, in order."""
        return list(dict.fromkeys(feature.column for feature in self.features.values()))

    @property
    def resolutions(self) -> dict[str, float]:
        """The columns that sums are kept of, and the resolution of each."""
        return {f.column: f.resolution for f in self.features.values() if isinstance(f, Windowed) and f.statistic != "count"}

    @property
    def counted(self) -> set[str]:
        """The columns whose values windows count; a mean counts too."""
        return {feature.column for feature in self.features.values() if isinstance(feature, Windowed)}

    @property
    def kinds(self) -> dict[str, Kind]:
        """How each column is read: as the kind that is taken of it, as a number where windows sum it, else as text."""
        taken = {f.column: f.kind for f in self.features.values() if isinstance(f, Latest)}
        return dict.fromkeys(self.columns, "text") | dict.fromkeys(self.resolutions, "number") | taken

    @property
    def numbers(self) -> set[str]:
        """The columns that are read as numbers."""
        return {column for column, kind in self.kinds.items() if kind == "number"}

    @property
    def windows(self) -> list[timedelta]:
        """The distinct trailing durations of the view's features, in order."""
        return list(dict.fromkeys(f.over for f in self.features.values() if isinstance(f, Windowed)))


def feature_view(
    *,
    key: str,
    known_at: str,
    features: Mapping[str, Feature],
    ttl: str | timedelta | None = None,
    tie_break: str | None = None,
    default: Mapping[str, Value] | None = None,
) -> Callable[[Callable[[Any], Any]], FeatureView]:
    """Declare a view; the decorated function's only parameter names its source.

    Args:
        key: column that requests are matched on, the model's entity or a request field.
        known_at: column holding when a row could first be known, publishing delay included (UTC).
        features: name of the feature to what is taken.
        ttl: age after which the newest known row counts as missing (``latest`` only).
        tie_break: column that decides which row of a key and moment counts, the one with the largest; where it is left out
            windows count them all, as flights that land in one minute, and ``latest`` takes the last.
        default: by feature, what serving answers with while the view cannot be read or its source is quarantined, marked as
            degraded; without one it is the last value from before. Training never sees it.

    Raises:
        DeclarationError: when the function takes anything but one source, no feature is taken, or a default does not fit.
    """

    def declare(shape: Callable[[Any], Any]) -> FeatureView:
        name = shape.__name__
        parameters = list(inspect.signature(shape).parameters)
        if len(parameters) != 1:
            raise DeclarationError(f"view {name}: takes {parameters or 'nothing'}; its one parameter names its source")
        if not features:
            raise DeclarationError(f"view {name}: takes no feature; name at least one, such as latest('price')")
        _usable_names(name, features)
        _one_reading_a_column(name, features)
        _fitting_defaults(name, features, default or {})
        try:
            lifetime = None if ttl is None else parse_duration(ttl)
        except ValueError as error:
            raise DeclarationError(f"view {name}: ttl: {error}") from error
        return FeatureView(name, parameters[0], key, known_at, lifetime, dict(features), tie_break, shape, dict(default or {}))

    return declare


def _usable_names(view: str, features: Mapping[str, Feature]) -> None:
    """Refuse names that frames cannot hold beside everfit's own columns, or that Polars reads as a pattern of names."""
    for name in features:
        if not name[:1].isalnum():
            raise DeclarationError(
                f"view {view}: feature {name!r} needs a name that begins with a letter or a digit; an underscore marks "
                "everfit's own columns"
            )


def _fitting_defaults(view: str, features: Mapping[str, Feature], default: Mapping[str, Value]) -> None:
    """Refuse defaults of what is no feature, or of another kind."""
    types: dict[Kind, tuple[type, ...]] = {"number": (int, float), "flag": (bool,), "category": (str,), "text": (str,)}
    for name, value in default.items():
        if name not in features:
            has = ", ".join(features)
            raise DeclarationError(f"view {view}: a default for {name!r}, which is no feature of it; it has {has}")
        kind = features[name].kind
        fits = types.get(kind, (list,))
        if not isinstance(value, fits) or (kind == "number" and isinstance(value, bool)):
            raise DeclarationError(f"view {view}: the default of {name} is {value!r}, no {kind}")


def _one_reading_a_column(view: str, features: Mapping[str, Feature]) -> None:
    """Refuse a view that needs one column at two resolutions, or as two kinds."""
    readings: dict[str, str] = {}
    for name, feature in features.items():
        if isinstance(feature, Windowed) and (feature.over <= timedelta() or feature.resolution <= 0):
            values = f"over {feature.over} at resolution {feature.resolution}"
            raise DeclarationError(f"view {view}: {name}: {values}; both must be positive")
        if isinstance(feature, Windowed) and feature.over > LONGEST:
            raise DeclarationError(f"view {view}: {name}: over {feature.over}; at most {LONGEST.days} days, a thousand years")
        reading = _reading(feature)
        if reading is not None and readings.setdefault(feature.column, reading) != reading:
            raise DeclarationError(
                f"view {view}: {name} takes {feature.column!r} {reading}, another feature takes it {readings[feature.column]}; "
                "let the view's function make a column for each"
            )


def _reading(feature: Feature) -> str | None:
    if isinstance(feature, Latest):
        return None if feature.kind == "number" else f"as {feature.kind}"
    return None if feature.statistic == "count" else f"at resolution {feature.resolution}"
