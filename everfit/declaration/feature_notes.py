"""What a person wants to know of each input of a model: where it comes from, what it says, in which unit, known how late."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from everfit.declaration.columns import Column
from everfit.declaration.model import Model
from everfit.declaration.views import Feature, FeatureView, Kind, Latest
from everfit.timing import format_duration


class FeatureNote(NamedTuple):
    """One input. ``view`` is empty for a field of the request; ``delay`` is how long after its event a row is published."""

    name: str
    kind: Kind
    view: str
    definition: str
    description: str
    unit: str
    owners: list[str]
    delay: timedelta


def feature_notes(model: Model) -> list[FeatureNote]:
    """A note on every input of the model, in the order of its features.

    A feature of a view that has no description of its own, or no unit, takes those of the source's column it is taken from.
    """
    own = [_of_field(model, column) for column in model.request]
    return own + [note for view in model.views for note in _of_view(model, view)]


def _of_field(model: Model, column: Column) -> FeatureNote:
    about = column.description, column.unit
    return FeatureNote(column.name, column.input_kind, "", "of the request", *about, model.owners, timedelta())


def _of_view(model: Model, view: FeatureView) -> Iterator[FeatureNote]:
    source = model.source(view.source)
    columns = {column.name: column for column in source.columns}
    for name, feature in view.features.items():
        column = columns.get(feature.column)
        description = feature.description or _inherited(feature, column)
        unit = feature.unit or (column.unit if column and _keeps_unit(feature) else "")
        definition = f"{_taken(feature)} {feature.column} of {view.source}, by {view.key}"
        yield FeatureNote(name, feature.kind, view.name, definition, description, unit, model.owners, source.known_after)


def _inherited(feature: Feature, column: Column | None) -> str:
    """The description of the source's column, with what is taken of it."""
    if column is None or not column.description:
        return ""
    return column.description if isinstance(feature, Latest) else f"{_taken(feature)} {column.description}"


def _taken(feature: Feature) -> str:
    return "newest" if isinstance(feature, Latest) else f"{feature.statistic} over {format_duration(feature.over)} of"


def _keeps_unit(feature: Feature) -> bool:
    """Whether what is taken has the column's unit; a number of rows has none."""
    return isinstance(feature, Latest) or feature.statistic != "count"
