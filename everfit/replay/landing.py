"""Publish what was known before a moment, in one go: the bootstrap, and what a replay that begins later finds missing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.deployment import Deployment
from everfit.replay.timeline import published
from everfit.store import declarations
from everfit.store.database import reachable
from everfit.store.failures import Part
from everfit.store.isolation import Isolation
from everfit.store.publishing import publish
from everfit.store.tables import source_rows

MICROSECOND = timedelta(microseconds=1)


def bootstrap(deployment: Deployment, model: Model) -> int:
    """Publish everything known when the model went live; returns the rows that were new.

    What becomes known at that very moment is part of it, so that the last day before is whole.
    """
    return catch_up(deployment, model, model.go_live + MICROSECOND)


def bootstrap_all(deployment: Deployment) -> Iterator[tuple[str, int | str]]:
    """The same for every model: its name and the rows that were new, or why none could land; the others go on."""
    with reachable(deployment.engine):
        isolation = Isolation(deployment.engine)
        refused = declarations.set_aside(deployment.engine, deployment.models, isolation)
        for name, model in deployment.models.items():
            if name in refused:
                yield name, refused[name]
                continue
            part = Part(name, "landing")
            rows = isolation.attempt(part, partial(bootstrap, deployment, model), retry_after=timedelta())
            failure = isolation.failure(part)
            yield name, failure.error if rows is None and failure else rows or 0


def catch_up(deployment: Deployment, model: Model, until: datetime) -> int:
    """Publish what was known before ``until`` and has not landed; returns the rows that were new."""
    rows = 0
    for source in model.sources:
        newest = landed_until(deployment.engine, source.name)
        first = None if newest is None else newest + source.known_after + MICROSECOND
        missing = published(source, first, until)
        if not missing.is_empty():
            rows += publish(deployment.engine, deployment.models, source.name, missing.drop("_known_at"))
    return rows


def landed_until(engine: sa.Engine, source: str) -> datetime | None:
    """The newest event time that has landed of a source."""
    query = sa.select(sa.func.max(source_rows.c.event_time)).where(source_rows.c.source == source)
    with reachable(engine), engine.connect() as connection:
        newest: datetime | None = connection.execute(query).scalar()
    return newest
