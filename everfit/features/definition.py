"""The version of a view: everything that determines the contents of its online state, and how it is read.

Online state belongs to a version. A view that two models import has one version; a change of its definition, its function or
the columns of its source makes another.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

import msgspec

from everfit.declaration import Column, Integer, Numeric, Source
from everfit.declaration.views import Feature, FeatureView, Kind, Latest, Windowed
from everfit.features.fingerprint import function_version

Shape = Callable[[Any], Any]

_MICROSECOND = timedelta(microseconds=1)


class Taken(msgspec.Struct, frozen=True):
    """A feature of a view; ``over_us`` (microseconds) and ``resolution`` are those of its window."""

    name: str
    column: str
    statistic: Literal["latest", "sum", "mean", "count"]
    kind: Kind
    over_us: int = 0
    resolution: float = 0.0

    @property
    def feature(self) -> Feature:
        """The feature as it was declared."""
        if self.statistic == "latest":
            return Latest(self.column, self.kind)
        return Windowed(self.column, self.statistic, self.over_us * _MICROSECOND, self.resolution, self.kind)


class Definition(msgspec.Struct, frozen=True):
    """A view as it is stored: everything but its function, which ``function`` identifies.

    ``columns`` are the names of the source's columns and how each is read, as the function receives them.
    """

    view: str
    source: str
    columns: list[tuple[str, str]]
    key: str
    known_at: str
    ttl_us: int | None
    tie_break: str | None
    features: list[Taken]
    function: str

    @property
    def version(self) -> str:
        """Twelve hex digits that change with any field."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]

    @property
    def name(self) -> tuple[str, str]:
        """View and version: the identity of its online state."""
        return self.view, self.version

    @property
    def needs(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What a process needs to extend this version: the function, and the same columns of the source."""
        return self.function, tuple(self.columns)

    @property
    def keyed_by_column(self) -> bool:
        """Whether the key is a text column of the source, so that the rows of one key can be read alone."""
        return (self.key, "category") in self.columns

    def has(self, name: str, kind: Kind) -> bool:
        """Whether the view has a feature of that name and kind."""
        return any((taken.name, taken.kind) == (name, kind) for taken in self.features)

    def as_view(self, shape: Shape | None = None) -> FeatureView:
        """The view; without its function it can be read, but not extended."""
        ttl = None if self.ttl_us is None else self.ttl_us * _MICROSECOND
        features = {taken.name: taken.feature for taken in self.features}
        return FeatureView(
            self.view, self.source, self.key, self.known_at, ttl, features, self.tie_break, shape or _no_function
        )


def define(view: FeatureView, source: Source) -> Definition:
    """The definition of a declared view over its declared source."""
    return Definition(
        view=view.name,
        source=source.name,
        columns=[(column.name, _reading(column)) for column in source.columns],
        key=view.key,
        known_at=view.known_at,
        ttl_us=None if view.ttl is None else view.ttl // _MICROSECOND,
        tie_break=view.tie_break,
        features=[_taken(name, feature) for name, feature in view.features.items()],
        function=function_version(view.shape),
    )


def _reading(column: Column) -> str:
    """The kind by which a column's landed values are read."""
    missing = f" without {column.missing}" if isinstance(column, Numeric) and column.missing else ""
    return ("integer" if isinstance(column, Integer) else column.input_kind) + missing


def alike(old: Definition, new: Definition, feature: str) -> bool:
    """Whether two versions give a feature the same value: the same definition and function, over the same columns or more."""

    def of(definition: Definition) -> tuple[object, ...]:
        taken = [each for each in definition.features if each.name == feature]
        return (definition.source, definition.key, definition.known_at, definition.ttl_us, definition.tie_break, taken)

    return of(old) == of(new) and old.function == new.function and set(old.columns) <= set(new.columns)


def _taken(name: str, feature: Feature) -> Taken:
    if isinstance(feature, Latest):
        return Taken(name, feature.column, "latest", feature.kind)
    over_us = feature.over // _MICROSECOND
    return Taken(name, feature.column, feature.statistic, feature.kind, over_us, float(feature.resolution))


def _no_function(_: Any) -> Any:
    raise AssertionError("a version of a view without its function can be read, but not extended")
