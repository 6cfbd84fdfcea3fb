"""Rollouts: the record that carries a version from the gate to its end.

At most one version of a model challenges its champion at a time, and the champion may be provisional.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from everfit.declaration.rollouts import Stage
from everfit.store.failures import storable
from everfit.store.tables import rollouts
from everfit.timing import midnight

State = Literal["running", "waiting", "provisional", "confirmed", "rolled_back", "rejected", "expired", "superseded"]
CHALLENGING: tuple[State, ...] = ("running", "waiting")  # waiting: for a person
OPEN: tuple[State, ...] = (*CHALLENGING, "provisional")


class LiveDay(msgspec.Struct, frozen=True, kw_only=True):
    """What a day's matured outcomes show of a version beside the champion, or of a champion beside its predecessor.

    ``difference`` is the mean loss of the version less that of the other; null where one of them has no outcome. The rest is
    counted over all requests of the day: ``asked`` those that the version had to answer, ``rows`` those that it did,
    ``other_rows`` those of the other, and the shares of both that were degraded or have no outcome.
    """

    day: str
    difference: float | None
    asked: int
    rows: int
    other_rows: int
    degraded: float
    other_degraded: float
    missing: float
    other_missing: float


@dataclass(frozen=True, slots=True)
class Rollout:
    """A version's rollout: ``replaces`` is the champion that it was compared with.

    ``since`` is the newest event time when its step began, ``looked_until`` the end of the newest day of event time that was
    looked at, ``margin`` the loss that the gate allowed, ``days`` what each of them showed, ``reason`` what it waits for,
    or why it ended.
    """

    id: str
    model: str
    version: int
    replaces: int | None
    stages: Sequence[Stage]
    step: int
    since: datetime
    looked_until: datetime | None = None
    margin: float = 0.0
    days: Sequence[LiveDay] = field(default_factory=list)
    state: State = "running"
    reason: str = ""
    request: str | None = None

    @property
    def stage(self) -> Stage:
        """The stage that it is in."""
        return self.stages[self.step]

    @property
    def next_day(self) -> datetime:
        """The beginning of the first whole day of the stage that was not looked at: never the day in which it began."""
        first = midnight(self.since.date()) + timedelta(days=1)
        return max(first, self.looked_until) if self.looked_until else first


def rollout_id(model: str, version: int, since: datetime, earlier: int = 0) -> str:
    """The id of the rollout of a version that begins at a moment of the model's clock, after so many of the model.

    The clock may stand while a person promotes a version, takes it back and promotes it again.
    """
    again = f"|{earlier}" if earlier else ""
    return hashlib.sha256(f"{model}|{version}|{since.isoformat()}{again}".encode()).hexdigest()[:16]


def add(connection: sa.Connection, rollout: Rollout) -> None:
    """Write a new rollout; the caller has ended the one whose place it takes."""
    row = {name: getattr(rollout, name) for name in Rollout.__slots__}
    documents = {"stages": msgspec.to_builtins(list(rollout.stages)), "days": msgspec.to_builtins(list(rollout.days))}
    connection.execute(sa.insert(rollouts).values(row | documents))


def challenging(connection: sa.Connection, model: str) -> Rollout | None:
    """The rollout of a version that is not champion yet; None where there is none."""
    return _one(connection, model, CHALLENGING)


def provisional(connection: sa.Connection, model: str) -> Rollout | None:
    """The rollout of the champion while the guard watches it; None where it does not."""
    return _one(connection, model, ("provisional",))


def open_ones(connection: sa.Connection) -> list[Rollout]:
    """All that have not ended, of all models."""
    return _read(connection, sa.select(*_COLUMNS).where(rollouts.c.state.in_(OPEN)))


def of_model(connection: sa.Connection, model: str) -> list[Rollout]:
    """All rollouts of a model, the newest last."""
    return _read(connection, sa.select(*_COLUMNS).where(rollouts.c.model == model))


def number(connection: sa.Connection, model: str) -> int:
    """How many rollouts of a model there were."""
    return connection.execute(sa.select(sa.func.count()).where(rollouts.c.model == model)).scalar_one()


def update(
    connection: sa.Connection,
    rollout: Rollout,
    state: State,
    *,
    step: int | None = None,
    since: datetime | None = None,
    looked_until: datetime | None = None,
    days: Sequence[LiveDay] | None = None,
    reason: str | None = None,
) -> None:
    """Set a rollout's state; what is not given stays."""
    given = {"step": step, "since": since, "looked_until": looked_until, "reason": reason and storable(reason)}
    given["days"] = None if days is None else msgspec.to_builtins(list(days))
    values = {name: value for name, value in given.items() if value is not None}
    changed = sa.update(rollouts).where(rollouts.c.id == rollout.id)
    connection.execute(changed.values(state=state, updated_at=sa.func.now(), **values))


def renumber(connection: sa.Connection, model: str, former: int, number: int) -> None:
    """Let the open rollouts of a model follow a version that got another number."""
    columns = rollouts.c
    for column in (columns.version, columns.replaces):
        about = (columns.model == model, columns.state.in_(OPEN), column == former)
        connection.execute(sa.update(rollouts).where(*about).values({column: number}))


_COLUMNS = [rollouts.c[name] for name in Rollout.__slots__]


def _one(connection: sa.Connection, model: str, states: Sequence[State]) -> Rollout | None:
    query = sa.select(*_COLUMNS).where(rollouts.c.model == model, rollouts.c.state.in_(states))
    return next(iter(_read(connection, query)), None)


def _read(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> list[Rollout]:
    rows = connection.execute(query.order_by(rollouts.c.updated_at)).mappings()
    return [Rollout(**row | _documents(row)) for row in map(dict, rows)]


def _documents(row: dict[str, Any]) -> dict[str, Any]:
    return {"stages": msgspec.convert(row["stages"], list[Stage]), "days": msgspec.convert(row["days"], list[LiveDay])}
