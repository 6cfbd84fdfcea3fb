"""Static metadata of the assets' pages: columns, and where a model is declared."""

import sys
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dagster as dg

from everfit.declaration import Column, Model
from everfit.declaration.reserved_columns import LABEL
from everfit.declaration.views import Latest
from everfit.timing import format_duration

LOGGED = {
    "predictions": {
        "event_time": "time",
        "request_id": "category",
        "version": "number",
        "role": "category",
        "entity": "category",
        "features": "json",
        "score": "number",
        "degraded": "boolean",
        "late": "boolean",
    },
    "outcomes": {"observed_at": "time", "request_id": "category", "outcome": "number"},
}


def columns(named: Iterable[tuple[str, str]], notes: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """A page's column schema of names and kinds, with a note on columns that have one."""
    made = [dg.TableColumn(name, kind, description=notes.get(name)) for name, kind in named]
    return {"dagster/column_schema": dg.TableSchema(made)}


def feature_notes(model: Model) -> dict[str, str]:
    """The origin of each model input."""
    notes = {column.name: "of the request" for column in model.request}
    for view in model.views:
        for name, feature in view.features.items():
            taken = "newest" if isinstance(feature, Latest) else f"{feature.statistic} over {format_duration(feature.over)} of"
            notes[name] = f"{taken} {feature.column} of {view.source}, by {view.key} (view {view.name})"
    return notes


def label_note(model: Model) -> dict[str, str]:
    """The meaning of the label's column."""
    return {LABEL: f"{model.label}: the observed outcome"}


def source_columns(declared: Iterable[Column]) -> list[tuple[str, str]]:
    """Names and kinds of a source's columns."""
    return [(column.name, f"{column.kind}, may be null" if column.nullable else column.kind) for column in declared]


def raw_columns(model: Model) -> dict[str, Any]:
    """The columns of raw data: the page's schema where there is one source, else a schema per source."""
    if len(model.sources) == 1:
        return columns(source_columns(model.sources[0].columns))
    schemas = {source.name: columns(source_columns(source.columns)) for source in model.sources}
    return {f"columns of {name}": dg.MetadataValue.table_schema(*schema.values()) for name, schema in schemas.items()}


def readable(value: Any) -> Any:
    """A number rounded to five digits after the point; anything else unchanged."""
    return round(value, 5) if isinstance(value, float) else value


def declared_in(model: Model) -> dict[str, Any]:
    """A reference to the model's line in its module."""
    file = sys.modules[model.history.__module__].__file__
    if file is None:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        line = _line(file, model.name)
        reference = dg.LocalFileCodeReference(file_path=file, line_number=line, label=f"declaration of {model.name}")
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


@cache
def _line(file: str, name: str) -> int:
    """The first line with the name in quotes, or line 1."""
    lines = Path(file).read_text().splitlines()
    return next((number for number, line in enumerate(lines, 1) if f'"{name}"' in line), 1)
