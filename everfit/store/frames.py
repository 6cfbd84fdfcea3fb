"""Rows of the prediction log and of the sources as Polars frames."""

import logging
from collections.abc import Sequence
from datetime import datetime

import msgspec
import polars as pl
import sqlalchemy as sa

from everfit.declaration import Column, Model, Numeric, Source
from everfit.declaration.input_kinds import frame_type
from everfit.declaration.number_range import LARGEST
from everfit.declaration.reserved_columns import (
    CLASS,
    DEGRADED,
    EVENT_TIME,
    EXPLORED,
    FEATURES,
    LABEL,
    OBSERVED_AT,
    REQUEST_ID,
    SCHEMA,
    SCORE,
    SCORES,
    UNREADABLE,
    VERSION,
)
from everfit.declaration.rollouts import ANSWERING, Role
from everfit.declaration.tasks import Task
from everfit.declaration.views import Features
from everfit.errors import SourceError
from everfit.features.column_types import answer_type
from everfit.store import schemas
from everfit.store.documents import beyond, bounded, from_json
from everfit.store.tables import predictions, source_rows

HASHES = 2**64  # the range of Postgres' hashes, which are signed 64-bit numbers
MOMENT = pl.Datetime("us", "UTC")

logger = logging.getLogger(__name__)

# The answers that clients got in a span of event time, each with its newest outcome that was known at a moment.
_LOGGED = sa.text("""
    SELECT p.request_id, p.event_time, p.version, p.schema, p.degraded, p.explored, p.score, p.scores::text AS scores,
           p.features::text AS features, o.outcome, o.outcome_class, o.observed_at
    FROM predictions p
    LEFT JOIN LATERAL (
        SELECT outcome, outcome_class, observed_at FROM outcomes
        WHERE model = p.model AND request_id = p.request_id AND observed_at <= :known_at
        ORDER BY observed_at DESC LIMIT 1
    ) o ON TRUE
    WHERE p.model = :model AND p.role = ANY(:roles) AND p.event_time >= :start AND p.event_time < :end
      AND (NOT p.late OR :late) AND (CAST(:version AS integer) IS NULL OR p.version = :version)
      AND (CAST(:below AS bigint) IS NULL OR hashtextextended(p.request_id, :seed) < :below)
    ORDER BY p.event_time, p.request_id, p.version
""")

_ORDER = "_order"

_OWN: dict[str, pl.DataType] = {
    REQUEST_ID: pl.String(),
    EVENT_TIME: MOMENT,
    VERSION: pl.Int64(),
    SCHEMA: pl.String(),
    DEGRADED: pl.Boolean(),
    EXPLORED: pl.Float64(),
    SCORE: pl.Float64(),
    SCORES: pl.String(),
    FEATURES: pl.String(),
    LABEL: pl.Float64(),
    CLASS: pl.String(),
    OBSERVED_AT: MOMENT,
}


def answered(
    connection: sa.Connection, model: Model, span: tuple[datetime, datetime], roles: Sequence[Role] = ANSWERING
) -> dict[int, int]:
    """Number of requests of ``[start, end)`` that each version answered to clients in these roles, without late rows."""
    columns = predictions.c
    counted = sa.select(columns.version, sa.func.count()).where(*_within(model, span), columns.role.in_(roles), ~columns.late)
    return {row[0]: row[1] for row in connection.execute(counted.group_by(columns.version))}


def requests(connection: sa.Connection, model: Model, span: tuple[datetime, datetime]) -> int:
    """Number of requests of ``[start, end)`` that clients got answers to, whoever answered and however often; no late rows."""
    columns = predictions.c
    counted = sa.select(sa.func.count(sa.distinct(columns.request_id)))
    within = counted.where(*_within(model, span), columns.role.in_(ANSWERING), ~columns.late)
    return connection.execute(within).scalar_one()


def _within(model: Model, span: tuple[datetime, datetime]) -> "tuple[sa.ColumnElement[bool], ...]":
    columns = predictions.c
    return columns.model == model.name, columns.event_time >= span[0], columns.event_time < span[1]


def logged(
    connection: sa.Connection,
    model: Model,
    span: tuple[datetime, datetime],
    *,
    known_at: datetime,
    late: bool = False,
    version: int | None = None,
    share: float = 1.0,
    seed: int = 0,
    features: Features | None = None,
    roles: Sequence[Role] = ANSWERING,
) -> pl.DataFrame:
    """The answers to the requests of ``[start, end)``, in event order: those that clients got, or of other ``roles``.

    Args:
        connection: to the everfit database.
        model: the model.
        span: half-open span of event time.
        known_at: outcomes observed later are left out.
        late: whether to include rows that arrived after their window had closed.
        version: the version; by default all.
        share: the share of requests to sample by a hash of their ids; the sample is always the same.
        seed: seed of the sample.
        roles: of the answers.
        features: the inputs by name and kind; by default the declared ones. Each row is read by its own schema; an input that
            this lacks, or has with another kind, is null.

    Returns:
        One row per request and version that answered it (two where it was repeated after a swap): REQUEST_ID, EVENT_TIME,
        VERSION, SCHEMA, DEGRADED, EXPLORED, SCORE (an array where an answer is several numbers), LABEL (a number, or text
        where it is a class) and OBSERVED_AT (null where the outcome was not known), UNREADABLE (count of the row's numbers that
        cannot be read and are null), by the names of :mod:`everfit.declaration.reserved_columns`, and each feature.
    """
    below = None if share >= 1 else round((share - 0.5) * HASHES)
    bound = {"model": model.name, "start": span[0], "end": span[1], "known_at": known_at, "late": late}
    drawn = {"roles": list(roles), "version": version, "below": below, "seed": seed}
    rows = connection.execute(_LOGGED, bound | drawn).fetchall()
    frame = with_answers(model.task, pl.DataFrame([tuple(row) for row in rows], schema=_OWN, orient="row"))
    wanted = model.features if features is None else features
    if (present := frame[SCHEMA].unique().to_list()) in ([], [model.schema_id]):
        return _with_features(model, frame, model.features, wanted)
    known_schemas = schemas.of_model(connection, model)
    if len(present) == 1:
        return _with_features(model, frame, known_schemas.get(present[0], wanted), wanted)
    parts = frame.with_row_index(_ORDER).partition_by(SCHEMA, as_dict=True)
    pieces = [_with_features(model, part, known_schemas.get(str(schema), wanted), wanted) for (schema,), part in parts.items()]
    return pl.concat(pieces).sort(_ORDER).drop(_ORDER)


def with_answers(task: Task, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with SCORE and LABEL as the task has them, of SCORE, SCORES (as JSON), LABEL and CLASS, which are dropped."""
    if task.score_names:
        rows = [msgspec.json.decode(scores, type=dict[str, float]) for scores in frame[SCORES]]
        answers = [[scores[name] for name in task.score_names] for scores in rows]
        frame = frame.with_columns(pl.Series(SCORE, answers, dtype=answer_type(task)))
    if task.label_kind == "category" and CLASS in frame.columns:
        frame = frame.with_columns(pl.col(CLASS).alias(LABEL))
    return frame.drop(SCORES, CLASS, strict=False)


def _with_features(model: Model, frame: pl.DataFrame, own: Features, wanted: Features) -> pl.DataFrame:
    """Rows of one schema with the wanted features as columns instead of JSON."""
    missing = {name: values for name, values in _missing(model.request).items() if (name, "number") in own}
    decoded = from_json(frame[FEATURES], {name: frame_type(kind) for name, kind in own}, missing)
    unreadable = beyond(decoded).alias(UNREADABLE).to_frame()
    null = [pl.Series(name, [None] * frame.height, dtype=frame_type(kind)) for name, kind in wanted if (name, kind) not in own]
    values = bounded(decoded).drop(column.name for column in null if column.name in decoded.columns).with_columns(null)
    return pl.concat([frame.drop(FEATURES), unreadable, values.select(name for name, _ in wanted)], how="horizontal")


def landed(connection: sa.Connection, source: Source, span: tuple[datetime, datetime]) -> pl.DataFrame:
    """The landed rows of a source with event times in ``[start, end)``, in event order."""
    table = source_rows
    within = (table.c.source == source.name, table.c.event_time >= span[0], table.c.event_time < span[1])
    query = sa.select(sa.cast(table.c.row, sa.Text)).where(*within).order_by(table.c.event_time, table.c.identity.collate("C"))
    rows = connection.execute(query).scalars().all()
    return decode_rows(source, rows)


def decode_rows(source: Source, rows: Sequence[str]) -> pl.DataFrame:
    """JSON rows as a frame of the source's declared columns and types; numbers that cannot be read are null and logged.

    Raises:
        SourceError: when a time cannot be read.
    """
    times = [column.name for column in source.columns if column.kind == "time"]
    types = {column.name: pl.String() if column.kind == "time" else column.frame_type() for column in source.columns}
    decoded = from_json(pl.Series(rows, dtype=pl.String), types, _missing(source.columns))
    if unreadable := beyond(decoded).sum():
        logger.warning("source %s: %d values beyond ±%g are read as null; correct their rows", source.name, unreadable, LARGEST)
    frame = bounded(decoded)
    try:
        return frame.with_columns(pl.col(times).str.to_datetime("%+", time_unit="us", time_zone="UTC"))
    except pl.exceptions.InvalidOperationError as error:
        raise SourceError(f"source {source.name}: a landed row has a time that cannot be read: {error}") from error


def by_day(frame: pl.DataFrame, column: str, days: Sequence[str]) -> dict[str, pl.DataFrame]:
    """The rows of each of these days by a column of times (UTC), in their order; empty frames for days without rows."""
    parts = parts_by_day(frame, column)
    return {day: parts.get(day, frame.clear()) for day in days}


def parts_by_day(frame: pl.DataFrame, column: str) -> dict[str, pl.DataFrame]:
    """The rows by day of a column of times (UTC), in their order."""
    if frame.is_empty():
        return {}
    parts = frame.with_columns(pl.col(column).dt.date().cast(pl.String).alias("_day")).partition_by(
        "_day", as_dict=True, include_key=False, maintain_order=True
    )
    return {str(day): part for (day,), part in parts.items()}


def _missing(columns: Sequence[Column]) -> dict[str, list[float]]:
    """The values declared as missing, by column."""
    return {column.name: column.missing for column in columns if isinstance(column, Numeric)}
