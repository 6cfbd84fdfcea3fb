"""The requests before the go-live, which a model's ``history`` makes from all rows that landed before it.

``history`` may use any row (a mean of the day before, a label of the day after), so it always gets all of them. Its result is
one object of the lake, made again when a row before the go-live has landed or was corrected, with a digest per day: a day with
an unchanged digest needs not be made again.
"""

import hashlib
import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.input_kinds import frame_type
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID
from everfit.features.labelled_rows import labelled
from everfit.pipeline.code_versions import stage_version
from everfit.store import frames, partitions
from everfit.store.lake import Lake
from everfit.store.partitions import PartitionVersion
from everfit.store.source_days import Changes
from everfit.timing import midnight

if TYPE_CHECKING:
    import polars as pl

FIRST = datetime(1, 1, 1, tzinfo=UTC)


def newest(connection: sa.Connection, model: Model) -> PartitionVersion | None:
    """The newest result; its ``inputs`` have the digest of each day under ``days``."""
    return partitions.newest_versions(connection, _dataset(model)).get("")


def bring_up(connection: sa.Connection, lake: Lake, model: Model, changes: Changes) -> None:
    """Make the requests again where rows before the go-live were touched since, or the declaration has changed.

    Raises:
        SourceError: as :func:`everfit.features.labelled_rows.labelled`.
    """
    landed = _landed(model, changes)
    code, before = stage_version(model, "features"), newest(connection, model)
    if before is not None and (before.inputs["landed"], before.code_version) == (landed, code):
        return
    made = _make(connection, model, changes)
    days = {} if made.is_empty() else {day: _digest(rows) for day, rows in frames.parts_by_day(made, EVENT_TIME).items()}
    inputs = {"landed": landed, "days": days}
    version = PartitionVersion(_dataset(model), "", lake.put_frame(made), made.height, code, inputs)
    partitions.record(connection, [version])


def _make(connection: sa.Connection, model: Model, changes: Changes) -> "pl.DataFrame":
    """REQUEST_ID, EVENT_TIME and the request's fields, in event order; empty where nothing has landed before the go-live."""
    import polars as pl

    read = [source for source in model.sources if source.name in inspect.signature(model.history).parameters]
    fields = {column.name: frame_type(column.input_kind) for column in model.request}
    wanted = {REQUEST_ID: pl.String(), EVENT_TIME: frames.MOMENT} | fields
    if not any(midnight(day) < model.go_live for source in read for day in changes[source.name]):
        return pl.DataFrame(schema=wanted)
    rows = {source.name: frames.landed(connection, source, (FIRST, model.go_live)) for source in read}
    made = labelled(model, rows)
    return made.filter(pl.col(EVENT_TIME) < model.go_live).select(*wanted).sort(EVENT_TIME, REQUEST_ID)


def _landed(model: Model, changes: Changes) -> str:
    """A digest of the landed days before the go-live and of how often each was touched."""
    read = inspect.signature(model.history).parameters
    touched = [(name, day, count) for name in read for day, count in changes[name].items() if midnight(day) < model.go_live]
    return hashlib.sha256(msgspec.json.encode(touched)).hexdigest()


def _dataset(model: Model) -> str:
    return f"{model.name}/requests before the go-live"


def _digest(rows: "pl.DataFrame") -> str:
    return hashlib.sha256(msgspec.json.encode(rows.rows())).hexdigest()[:16]
