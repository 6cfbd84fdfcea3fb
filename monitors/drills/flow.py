"""Read on until all that was sent is stored."""

import time

import sqlalchemy as sa

from everfit.store.tables import dead_letters, outcomes, predictions
from monitors.drills.consumers import Consumer, Nursery
from monitors.drills.ground import Ground
from monitors.drills.traffic import Sent

STALL_SECONDS = 60.0
POLL_SECONDS = 0.05


def drain(ground: Ground, nursery: Nursery, sent: Sent) -> None:
    """Let a consumer read on until all that was sent is stored, or nothing moves any more; what is missing then is missing."""
    wanted = (sent.identities, sent.poison)
    before, since = (-1, -1), time.monotonic()
    consumer: Consumer | None = None
    while True:
        found = stored(ground.engine)
        if found != before:
            before, since = found, time.monotonic()
        if found >= wanted or time.monotonic() - since > STALL_SECONDS:
            break
        if consumer is None or not consumer.is_alive:
            consumer = nursery.start()
        time.sleep(POLL_SECONDS)
    if consumer:
        consumer.kill()


def stored(engine: sa.Engine) -> tuple[int, int]:
    """How many events and how many dead letters stand in the store."""
    with engine.connect() as connection:
        rows = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (predictions, outcomes, dead_letters)
        ]
    return rows[0] + rows[1], rows[2]
