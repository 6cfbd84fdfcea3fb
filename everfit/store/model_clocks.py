"""The models' clocks: how far event time is by what was logged."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.store.tables import clocks
from everfit.timing import wall_clock


def read(connection: sa.Connection, model: Model) -> datetime | None:
    """The model's watermark, of :meth:`WindowGrid.clock`; None where nothing of it was logged yet."""
    return read_all(connection, [model]).get(model.name)


def read_all(connection: sa.Connection, models: Collection[Model]) -> dict[str, datetime]:
    """The clocks of many models by one query, by name; a model of which nothing was logged has none."""
    columns = clocks.c
    names = [model.name for model in models]
    query = sa.select(columns.model, columns.newest, columns.seen_at).where(columns.model.in_(names))
    partitions: dict[str, list[tuple[datetime, datetime]]] = {}
    for name, newest, read_at in connection.execute(query):
        partitions.setdefault(name, []).append((newest, read_at))
    now = wall_clock()
    return {model.name: model.windows.clock(partitions[model.name], now) for model in models if model.name in partitions}
