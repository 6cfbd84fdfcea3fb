"""Which windows have closed, and which are due."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.declaration import Model
from everfit.declaration.window_grid import Span
from everfit.errors import UnknownWindowError
from everfit.store import frames, model_clocks
from everfit.store.tables import windows
from everfit.timing import format_time


def due(connection: sa.Connection, models: Collection[Model]) -> dict[str, Span]:
    """The oldest window that is due, by model; a model of which none is due is not there."""
    names = [model.name for model in models]
    ends = sa.select(windows.c.model, sa.func.max(windows.c.end).label("until")).where(windows.c.model.in_(names))
    closed = {row.model: row.until for row in connection.execute(ends.group_by(windows.c.model))}
    clocks = model_clocks.read_all(connection, models)
    spans = {model.name: model.windows.due(closed.get(model.name), clocks.get(model.name)) for model in models}
    return {name: span for name, span in spans.items() if span}


def closed_until(connection: sa.Connection, model: Model) -> datetime:
    """End of the newest closed window; the go-live where none has closed."""
    end = connection.execute(sa.select(sa.func.max(windows.c.end)).where(windows.c.model == model.name)).scalar()
    return end or model.go_live


def close(connection: sa.Connection, model: Model, span: Span, *, at: datetime, champion: int | None) -> bool:
    """Write the window's row, with the number of its requests; False when it was closed already."""
    start, end = span
    rows = frames.requests(connection, model, span)
    values = {"model": model.name, "start": start, "end": end, "closed_at": at, "rows": rows, "champion": champion}
    written = insert(windows).values(values).on_conflict_do_nothing().returning(windows.c.model)
    return connection.execute(written).first() is not None


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """A closed window's end, and the champion when it closed."""

    end: datetime
    champion: int


def find(connection: sa.Connection, model: Model, start: datetime) -> ClosedWindow:
    """The closed window that begins at a moment.

    Raises:
        UnknownWindowError: when none does, or there was no champion to judge; the message names the newest that do.
    """
    columns = windows.c
    closed = (columns.model == model.name, columns.champion.is_not(None))
    row = connection.execute(sa.select(columns.end, columns.champion).where(*closed, columns.start == start)).first()
    if row is None:
        newest = sa.select(columns.start).where(*closed).order_by(columns.start.desc()).limit(3)
        begin = ", ".join(map(format_time, connection.execute(newest).scalars())) or "none yet"
        raise UnknownWindowError(f"{model.name}: no closed window begins at {format_time(start)}; the newest begin at {begin}")
    return ClosedWindow(row.end, row.champion)
