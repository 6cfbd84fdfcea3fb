"""The catalogue of features: what each means, who answers for it and uses it, and what its values are like."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from everfit.declaration import Model
from everfit.declaration.feature_notes import FeatureNote, feature_notes
from everfit.declaration.views import Kind
from everfit.evidence.column_statistics import null_share, present
from everfit.timing import format_duration

if TYPE_CHECKING:
    import polars as pl


class CataloguedFeature(NamedTuple):
    """One input of a model.

    ``delay`` is how long after its event a row is published; ``used_by`` names the models that share the view.

    Of the rows at hand: ``null_share`` from 0 to 1, and the lowest and highest number, or how many different ``values`` there
    are; None where they do not apply, or there are no rows.
    """

    model: str
    name: str
    kind: Kind
    view: str
    definition: str
    description: str
    unit: str
    owners: list[str]
    delay: str
    used_by: list[str]
    null_share: float | None = None
    low: float | None = None
    high: float | None = None
    values: int | None = None

    @property
    def extent(self) -> str:
        """The range of its values, in words."""
        if self.low is not None and self.high is not None:
            return f"{self.low:.6g} to {self.high:.6g}"
        return "" if self.values is None else f"{self.values:,} different values"


def catalogue(models: Mapping[str, Model], model: Model, rows: "pl.DataFrame | None" = None) -> list[CataloguedFeature]:
    """The features of a model in their order, with their values in these rows (a column for each feature)."""
    described = (_described(models.values(), model, note) for note in feature_notes(model))
    return [entry if rows is None or rows.is_empty() else _measured(entry, rows[entry.name]) for entry in described]


def _described(models: Iterable[Model], model: Model, note: FeatureNote) -> CataloguedFeature:
    view = next((view for view in model.views if view.name == note.view), None)
    sharing = [other.name for other in models if view is not None and view in other.views]
    return CataloguedFeature(
        model=model.name,
        name=note.name,
        kind=note.kind,
        view=note.view,
        definition=note.definition,
        description=note.description,
        unit=note.unit,
        owners=note.owners,
        delay=format_duration(note.delay) if note.delay > timedelta() else "",
        used_by=sharing or [model.name],
    )


def _measured(entry: CataloguedFeature, column: "pl.Series") -> CataloguedFeature:
    known = present(column)
    entry = entry._replace(null_share=null_share(column))
    if column.dtype.is_numeric():
        return entry._replace(low=cast("float | None", known.min()), high=cast("float | None", known.max()))
    return entry if column.dtype.is_nested() else entry._replace(values=known.n_unique())
