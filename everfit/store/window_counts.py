"""Counts over all rows of a window, made by the database, for windows that are too large to be read."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from everfit.declaration import Integer, Model, Number, Numeric
from everfit.declaration.rollouts import ANSWERING
from everfit.evidence.counts import ColumnValues, Tally
from everfit.store.tables import predictions


def tally(
    connection: sa.Connection, model: Model, span: tuple[datetime, datetime], version: int, sampled: Mapping[str, ColumnValues]
) -> Tally:
    """Count a version's rows of a window.

    Args:
        connection: to the everfit database.
        model: the model.
        span: half-open span of event time.
        version: the version that answered.
        sampled: counts in a sample of the rows by feature of the version, which show the features with more than one value.
    """
    columns = predictions.c
    missing = {column.name: column.missing for column in model.request if isinstance(column, Numeric)}
    rows = sa.select(
        sa.func.count().label("rows"),
        sa.func.array_agg(sa.distinct(columns.schema)).label("schemas"),
        *(_value_count(name, missing.get(name, ())).label(f"values_{at}") for at, name in enumerate(sampled)),
        *(part for at, bounds in enumerate(_bounded(model, sampled)) for part in _outside(at, *bounds)),
    ).where(
        columns.model == model.name,
        columns.event_time >= span[0],
        columns.event_time < span[1],
        columns.version == version,
        columns.role.in_(ANSWERING),
        ~columns.late,
    )
    counts = connection.execute(rows).mappings().one()
    return Tally(
        rows=counts["rows"],
        schemas=frozenset(counts["schemas"] or []),
        columns={
            name: ColumnValues(counts[f"values_{at}"], column.constant) for at, (name, column) in enumerate(sampled.items())
        },
        outside={
            name: (counts[f"outside_{at}"], float(counts[f"example_{at}"]))
            for at, (name, *_) in enumerate(_bounded(model, sampled))
            if counts[f"outside_{at}"]
        },
    )


def _value_count(name: str, missing: Sequence[float]) -> "sa.ColumnElement[int]":
    """Number of a feature's values, without those declared as missing."""
    value = predictions.c.features[name].astext
    there = sa.func.count(value)
    return there.filter(sa.cast(value, sa.Numeric).not_in(missing)) if missing else there


def _bounded(model: Model, sampled: Mapping[str, ColumnValues]) -> list[tuple[str, float, float, list[float]]]:
    bounded = (column for column in model.request if isinstance(column, Number | Integer) and column.name in sampled)
    return [(column.name, *column.between, column.missing) for column in bounded if column.between]


def _outside(at: int, name: str, low: float, high: float, missing: Sequence[float]) -> "tuple[sa.Label[int], sa.Label[object]]":
    """Number of rows outside the bounds and the smallest such value, as exact numbers: a float could not hold any number."""
    value = sa.cast(predictions.c.features[name].astext, sa.Numeric)
    beyond = sa.and_(sa.not_(value.between(low, high)), value.not_in(missing))
    return sa.func.count().filter(beyond).label(f"outside_{at}"), sa.func.min(value).filter(beyond).label(f"example_{at}")
