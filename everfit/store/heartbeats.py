"""Heartbeats of the loop: when each kind of its processes last finished a pass, by Postgres' clock, and the parts it uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from everfit.dagster_api.names import LOOP
from everfit.store.tables import heartbeats

SENSOR, INGEST = LOOP, "ingest"  # the kinds of processes that read the log


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The newest pass of a kind of process: when, how many seconds ago, and the parts it uses.

    ``addresses`` and ``identities`` are those of :class:`everfit.stack.parts_in_use.Uses`.
    """

    at: datetime
    age_seconds: float
    addresses: Mapping[str, str]
    identities: Mapping[str, str]


def beat(connection: sa.Connection, process: str, addresses: Mapping[str, str], identities: Mapping[str, str]) -> None:
    """Record a pass of that kind of process, now."""
    values = {"at": sa.func.clock_timestamp(), "addresses": dict(addresses), "identities": dict(identities)}
    written = insert(heartbeats).values(process=process, **values)
    connection.execute(written.on_conflict_do_update(index_elements=["process"], set_=values))


def newest(connection: sa.Connection) -> dict[str, Heartbeat]:
    """The newest pass of every kind of process, by its name."""
    age = sa.func.extract("epoch", sa.func.clock_timestamp() - heartbeats.c.at)
    query = sa.select(heartbeats.c.process, heartbeats.c.at, age, heartbeats.c.addresses, heartbeats.c.identities)
    return {row[0]: Heartbeat(row[1], float(row[2]), *row[3:]) for row in connection.execute(query)}
