"""The labelled rows that a model's ``history`` makes from its sources: requests, their times and their outcomes."""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from everfit.declaration import Column, Model
from everfit.declaration.input_kinds import WORDS
from everfit.declaration.model import HISTORY_TIMES
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT, REQUEST_ID
from everfit.errors import SourceError
from everfit.features.point_in_time import MOMENT, key_text, number, type_fault, with_vectors

if TYPE_CHECKING:
    import polars as pl


def labelled(model: Model, sources: Mapping[str, "pl.DataFrame"]) -> "pl.DataFrame":
    """Every request of the model's history with its label, in event order.

    A request's id is made of the model, the event time and the columns of the model's ``identity``, so that it is the same
    for every range of the record.

    Args:
        model: the declaration.
        sources: the rows of every source that ``history`` reads, by name. Where a request field has the name of the event
            time, the observation or the label, ``history`` makes both: that one with an underscore before it, the field
            without.

    Returns:
        One row per request: REQUEST_ID, EVENT_TIME, the request's fields (as frames hold their kinds), LABEL (float64 or text)
        and OBSERVED_AT, by the names of :mod:`everfit.declaration.reserved_columns`.

    Raises:
        SourceError: when ``history`` lacks a column, or two of its rows have the same identity.
    """
    read = inspect.signature(model.history).parameters
    made = nw.from_native(model.history(*(nw.from_native(sources[name]) for name in read)), eager_only=True)
    identity = model.identity or [model.entity]
    event_time, observed_at, label = (_own(model, made.columns, name) for name in (*HISTORY_TIMES, model.label))
    if event_time not in made.columns and model.event_time:
        event_time = model.event_time
    wanted = [event_time, *(column.name for column in model.request), label, observed_at, *identity]
    missing = [name for name in dict.fromkeys(wanted) if name not in made.columns]
    if missing:
        names = ", ".join(map(repr, missing))
        raise SourceError(f"{model.name}: its history makes no column {names}; it makes {', '.join(made.columns)}")
    kinds = {column.name: column.input_kind for column in model.request}
    for field, kind in kinds.items():
        if kind not in ("number", *WORDS) and (fault := type_fault(made.schema[field], kind)):
            raise SourceError(f"{model.name}: its history makes {field!r} {fault.partition(';')[0]}; cast it")
    for time in (event_time, observed_at):
        _require_zone(model, made, time)
    made = with_vectors(made, kinds)
    at = nw.col(event_time).cast(MOMENT)
    rows: pl.DataFrame = made.select(
        request_id(model, made, at).alias(REQUEST_ID),
        at.alias(EVENT_TIME),
        *(_field(made, column) for column in model.request),
        _label(model, made, label).alias(LABEL),
        nw.col(observed_at).cast(MOMENT).alias(OBSERVED_AT),
    ).to_polars()
    rows = rows.sort(EVENT_TIME, maintain_order=True)
    _require_distinct(model, rows, identity)
    return rows


def request_id(model: Model, rows: nw.DataFrame[Any], at: nw.Expr) -> nw.Expr:
    """The id of each row's request: the model, its event time ``at`` and the columns of the model's ``identity``."""
    identity = (key_text(rows, column) for column in model.identity or [model.entity])
    return nw.concat_str(nw.lit(model.name), at.dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ"), *identity, separator="-")


def _require_zone(model: Model, made: nw.DataFrame[Any], time: str) -> None:
    """Refuse times that name no zone: which moment they are is not known.

    Raises:
        SourceError: with the first of them.
    """
    kind = made.schema[time]
    if isinstance(kind, nw.Datetime) and kind.time_zone is None:
        known = made[time].drop_nulls()
        example = f", such as {known[0]}" if len(known) else ""
        raise SourceError(
            f"{model.name}: its history makes {time!r} without a time zone{example}; say which it is, such as by "
            f"nw.col({time!r}).dt.replace_time_zone('UTC')"
        )


def _field(made: nw.DataFrame[Any], column: Column) -> nw.Expr:
    """A request's field as a model receives it: null where serving would refuse a number for its size."""
    if column.input_kind == "number":
        return number(made, column.name).alias(column.name)
    return nw.col(column.name).cast(nw.String) if column.input_kind in WORDS else nw.col(column.name)


def _label(model: Model, made: nw.DataFrame[Any], label: str) -> nw.Expr:
    """The label as the task takes it.

    Raises:
        SourceError: when the task's labels are classes, and the column holds no text.
    """
    if model.task.label_kind == "number":
        return nw.col(label).cast(nw.Float64)
    if (kind := made.schema[label]) not in (nw.String, nw.Categorical, nw.Enum):
        raise SourceError(
            f"{model.name}: its history makes the label {label!r} as {kind}; its classes are text: cast it, such as by "
            f"nw.col({label!r}).cast(nw.String)"
        )
    return nw.col(label).cast(nw.String)


def _own(model: Model, made: Sequence[str], name: str) -> str:
    """The name of everfit's column in the history: its own, or with an underscore where a request field has that name.

    Raises:
        SourceError: when the only column of that name is the request field's.
    """
    if f"_{name}" in made:
        return f"_{name}"
    if any(column.name == name for column in model.request):
        raise SourceError(
            f"{model.name}: {name!r} is a field of its request too; let its history make '_{name}' for everfit and {name!r} "
            f"for the field; it makes {', '.join(made)}"
        )
    return name


def _require_distinct(model: Model, rows: "pl.DataFrame", identity: list[str]) -> None:
    twice = rows.filter(rows[REQUEST_ID].is_duplicated())
    if not twice.is_empty():
        raise SourceError(
            f"{model.name}: its history makes {twice.height} requests that share event time and {', '.join(identity)}, such as "
            f"{twice[REQUEST_ID][0]}; name in identity=[…] the columns of the history that distinguish them"
        )
