"""The workload of a drill in portions, and the wait until all of it is stored."""

import time
from collections.abc import Iterator

import sqlalchemy as sa

from everfit.drills.catalogue import Order
from everfit.drills.consumer_pool import ConsumerPool
from everfit.drills.test_bed import TestBed
from everfit.drills.traffic import Event, Events, Sent
from everfit.store.tables import dead_letters, outcomes, predictions

STALL_SECONDS = 60.0
POLL_SECONDS = 0.05


def portions(order: Order) -> Iterator[list[Event]]:
    """All events of an order: a portion for each failure, and a last one."""
    events, number = Events(order.seed), order.kills + 1
    pairs = order.events // 2
    for i in range(number):
        yield list(events.take(2 * (pairs * (i + 1) // number - pairs * i // number)))


def drain(bed: TestBed, pool: ConsumerPool, sent: Sent) -> None:
    """Let a consumer read until all that was sent is stored, or there is no more progress."""
    wanted = (sent.identities, sent.poison)
    before, since = (-1, -1), time.monotonic()
    while True:
        progress = stored(bed.engine)
        if progress != before:
            before, since = progress, time.monotonic()
        if progress >= wanted or time.monotonic() - since > STALL_SECONDS:
            break
        pool.tend()
        time.sleep(POLL_SECONDS)
    pool.clear()


def stored(engine: sa.Engine) -> tuple[int, int]:
    """The numbers of stored events and dead letters."""
    with engine.connect() as connection:
        rows = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (predictions, outcomes, dead_letters)
        ]
    return rows[0] + rows[1], rows[2]
