"""Retrain requests: the outbox between a decision and a Dagster run."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.declaration import Model
from everfit.declaration.retraining import Status
from everfit.store.failures import storable
from everfit.store.tables import retrain_requests
from everfit.timing import format_time

OPEN: tuple[Status, ...] = ("pending", "launched")


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """A request to retrain. Nothing known after ``cutoff`` is trained on; ``attempt`` counts the launches, from 1."""

    id: str
    model: str
    cause: str
    reason: str
    champion: int | None
    cutoff: datetime
    requested_at: datetime
    attempt: int = 1
    status: Status = "pending"
    run_id: str | None = None
    result: str | None = None

    @property
    def run_key(self) -> str:
        """The key of the launch in Dagster, which never starts a second run with the same key."""
        return f"{self.id}:{self.attempt}"


def new(model: Model, cause: str, reason: str, *, champion: int | None, cutoff: datetime) -> RetrainRequest:
    """A request as of its cutoff.

    The id derives from model, champion, cutoff, cause and the declared policies: the same request has the same id, whichever
    process makes it.
    """
    policies = f"{model.drift!r}{model.freshness!r}{model.gate!r}{model.limits!r}"
    policies += repr(model.retraining) if model.retraining else ""
    policies += model.metric.name if model.declared_metric else ""
    text = "|".join([model.name, str(champion), format_time(cutoff), cause, policies])
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    return RetrainRequest(name, model.name, cause, reason, champion, cutoff, requested_at=cutoff)


_COLUMNS = [retrain_requests.c[name] for name in RetrainRequest.__slots__]


def add(connection: sa.Connection, request: RetrainRequest) -> bool:
    """Write a request; False where a request with its id exists, in any state."""
    row = {name: getattr(request, name) for name in RetrainRequest.__slots__}
    written = insert(retrain_requests).values(row).on_conflict_do_nothing().returning(retrain_requests.c.id)
    return connection.execute(written).first() is not None


def find(connection: sa.Connection, request_id: str, *, lock: bool = False) -> RetrainRequest:
    """The request of that id; with ``lock``, its row is locked until the transaction ends."""
    query = sa.select(*_COLUMNS).where(retrain_requests.c.id == request_id)
    return RetrainRequest(*connection.execute(query.with_for_update() if lock else query).one())


def in_status(connection: sa.Connection, *statuses: Status) -> Sequence[RetrainRequest]:
    """All requests in these states, oldest first."""
    query = sa.select(*_COLUMNS).where(retrain_requests.c.status.in_(statuses)).order_by(retrain_requests.c.requested_at)
    return [RetrainRequest(*row) for row in connection.execute(query)]


def of_model(connection: sa.Connection, model: str) -> Sequence[RetrainRequest]:
    """All requests of a model, oldest first."""
    query = sa.select(*_COLUMNS).where(retrain_requests.c.model == model)
    return [RetrainRequest(*row) for row in connection.execute(query.order_by(retrain_requests.c.requested_at))]


def mark(
    connection: sa.Connection, request_id: str, status: Status, *, run_id: str | None = None, result: str | None = None
) -> None:
    """Set a request's state; ``run_id`` and ``result`` are kept where none is given."""
    columns = retrain_requests.c
    values = {
        "status": status,
        "run_id": sa.func.coalesce(sa.cast(run_id, sa.Text), columns.run_id),
        "result": sa.func.coalesce(sa.cast(result and storable(result), sa.Text), columns.result),
        "updated_at": sa.func.now(),
    }
    connection.execute(sa.update(retrain_requests).where(columns.id == request_id).values(**values))


def retry(connection: sa.Connection, request_id: str, reason: str) -> None:
    """Record a further attempt: the run key changes, so that Dagster launches a new run."""
    columns = retrain_requests.c
    values = {"status": "pending", "attempt": columns.attempt + 1, "result": storable(reason), "updated_at": sa.func.now()}
    connection.execute(sa.update(retrain_requests).where(columns.id == request_id).values(**values))
