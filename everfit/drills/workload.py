"""Events in portions, and reading on until all that was sent is stored."""

import time
from collections.abc import Iterator

import sqlalchemy as sa

from everfit.drills.catalogue import Order
from everfit.drills.consumer_pool import Nursery
from everfit.drills.test_bed import Ground
from everfit.drills.traffic import Event, Events, Sent
from everfit.store.tables import dead_letters, outcomes, predictions

STALL_SECONDS = 60.0
POLL_SECONDS = 0.05


def portions(order: Order) -> Iterator[list[Event]]:
    """All events of an order, one portion for each time that something is broken, and one more."""
    events, number = Events(order.seed), order.kills + 1
    pairs = order.events // 2
    for i in range(number):
        yield list(events.take(2 * (pairs * (i + 1) // number - pairs * i // number)))


def drain(ground: Ground, nursery: Nursery, sent: Sent) -> None:
    """Let a consumer read on until all that was sent is stored, or nothing moves any more; what is missing then is missing."""
    wanted = (sent.identities, sent.poison)
    before, since = (-1, -1), time.monotonic()
    while True:
        found = stored(ground.engine)
        if found != before:
            before, since = found, time.monotonic()
        if found >= wanted or time.monotonic() - since > STALL_SECONDS:
            break
        nursery.tend()
        time.sleep(POLL_SECONDS)
    nursery.clear()


def stored(engine: sa.Engine) -> tuple[int, int]:
    """How many events and how many dead letters stand in the store."""
    with engine.connect() as connection:
        rows = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (predictions, outcomes, dead_letters)
        ]
    return rows[0] + rows[1], rows[2]
