"""Static metadata of the assets' pages: columns, and where a model is declared."""

import base64
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import dagster as dg

from everfit.declaration import Column, Model
from everfit.declaration.feature_notes import FeatureNote
from everfit.declaration.feature_notes import feature_notes as notes_of
from everfit.declaration.reserved_columns import LABEL

if TYPE_CHECKING:
    import polars as pl

LOGGED = {
    "predictions": {
        "event_time": "time",
        "request_id": "category",
        "version": "number",
        "role": "category",
        "entity": "category",
        "features": "json",
        "score": "number",
        "scores": "json",
        "degraded": "boolean",
        "late": "boolean",
    },
    "outcomes": {"observed_at": "time", "request_id": "category", "outcome": "number", "outcome_class": "category"},
}


def columns(named: Iterable[tuple[str, str]], notes: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """A page's column schema of names and kinds, with a note on columns that have one."""
    made = [dg.TableColumn(name, kind, description=notes.get(name)) for name, kind in named]
    return {"dagster/column_schema": dg.TableSchema(made)}


def feature_notes(model: Model) -> dict[str, str]:
    """What each model input is: its description, its unit and where it comes from."""
    return {note.name: _sentence(note) for note in notes_of(model)}


def _sentence(note: FeatureNote) -> str:
    unit = f" ({note.unit})" if note.unit else ""
    origin = f"{note.definition} (view {note.view})" if note.view else note.definition
    return f"{note.description}{unit}; {origin}" if note.description else f"{origin}{unit}"


def feature_table(models: Mapping[str, Model], model: Model, rows: "pl.DataFrame") -> dg.TableMetadataValue:
    """The catalogue of the model's features, with their values in these rows."""
    from everfit.review.feature_catalogue import catalogue

    records: list[dict[str, Any]] = [
        {
            "feature": entry.name,
            "kind": entry.kind,
            "description": entry.description,
            "unit": entry.unit,
            "definition": entry.definition,
            "published after": entry.delay,
            "owners": ", ".join(entry.owners),
            "used by": ", ".join(entry.used_by),
            "null share": readable(entry.null_share),
            "range": entry.extent,
        }
        for entry in catalogue(models, model, rows)
    ]
    return dg.MetadataValue.table([dg.TableRecord(record) for record in records])


def label_note(model: Model) -> dict[str, str]:
    """The meaning of the label's column."""
    return {LABEL: f"{model.label}: the observed outcome"}


def source_columns(declared: Sequence[Column]) -> dict[str, Any]:
    """The column schema of a source's rows, with the columns' descriptions and units."""
    named = [(column.name, f"{column.kind}, may be null" if column.nullable else column.kind) for column in declared]
    notes = {column.name: f"{column.description}{column.unit and f' ({column.unit})'}".strip() for column in declared}
    return columns(named, {name: note for name, note in notes.items() if note})


def raw_columns(model: Model) -> dict[str, Any]:
    """The columns of raw data: the page's schema where there is one source, else a schema per source."""
    if len(model.sources) == 1:
        return source_columns(model.sources[0].columns)
    schemas = {source.name: source_columns(source.columns) for source in model.sources}
    return {f"columns of {name}": dg.MetadataValue.table_schema(*schema.values()) for name, schema in schemas.items()}


def readable(value: Any) -> Any:
    """A number rounded to five digits after the point; anything else unchanged."""
    return round(value, 5) if isinstance(value, float) else value


def markdown(title: str, svg: str) -> dg.MarkdownMetadataValue:
    """A plot inlined in markdown, as a page shows it."""
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


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
