"""Publish recorded rows that were known before a moment: at the bootstrap, and where a replay starts later."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.replay.timeline import published
from everfit.runtime import Runtime
from everfit.sources.publication import publish
from everfit.store import declarations
from everfit.store.database import reachable
from everfit.store.failures import Part
from everfit.store.isolation import Isolation
from everfit.store.tables import source_rows

MICROSECOND = timedelta(microseconds=1)


def bootstrap(runtime: Runtime, model: Model) -> int:
    """Publish every row known when the model went live; returns the number of new rows.

    Rows that became known at that very moment are included, so that the last day before it is complete.
    """
    return catch_up(runtime, model, model.go_live + MICROSECOND)


def bootstrap_all(runtime: Runtime) -> Iterator[tuple[str, int | str]]:
    """The same for every model: its name, and the number of new rows or the reason why none could land."""
    with reachable(runtime.engine):
        isolation = Isolation(runtime.engine)
        refused = declarations.isolate_refused(runtime.engine, runtime.models, isolation)
        for name, model in runtime.models.items():
            if name in refused:
                yield name, refused[name]
                continue
            part = Part(name, "landing")
            rows = isolation.attempt(part, partial(bootstrap, runtime, model), retry_after=timedelta())
            failure = isolation.failure(part)
            yield name, failure.error if rows is None and failure else rows or 0


def catch_up(runtime: Runtime, model: Model, until: datetime) -> int:
    """Publish the rows that were known before ``until`` and have not landed; returns the number of new rows."""
    rows = 0
    for source in model.sources:
        newest = landed_until(runtime.engine, source.name)
        first = None if newest is None else newest + source.known_after + MICROSECOND
        missing = published(source, first, until)
        if not missing.is_empty():
            rows += publish(runtime.engine, runtime.models, source.name, missing.drop("_known_at"))
    return rows


def landed_until(engine: sa.Engine, source: str) -> datetime | None:
    """The newest event time among a source's landed rows."""
    query = sa.select(sa.func.max(source_rows.c.event_time)).where(source_rows.c.source == source)
    with reachable(engine), engine.connect() as connection:
        newest: datetime | None = connection.execute(query).scalar()
    return newest
