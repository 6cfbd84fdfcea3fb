"""Cut passes off in the middle while they read, judge and decide: killed, out of time, or left running beside the next one.

Whatever is cut, evidence, decisions and requests must be those of one pass that nobody disturbed, on a copy of the database.
"""

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import sqlalchemy as sa

from everfit.drills.catalogue import Announce, Order
from everfit.drills.champion_install import seat_champion
from everfit.drills.consumer_kill import await_transaction
from everfit.drills.consumer_pool import Nursery
from everfit.drills.declared.drill import drill
from everfit.drills.guarantee_report import Report, hold
from everfit.drills.test_bed import DATABASE, Ground, prepared
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions
from everfit.store.database import create_engine
from everfit.store.lake import Lake
from everfit.store.tables import decisions, evidence, retrain_requests, windows
from monitors.tick import watch

UNDISTURBED = "undisturbed"
JUDGED = (windows, evidence, decisions, retrain_requests)
UNTIMED = {"updated_at"}  # the wall clock's
SHORT_SECONDS = 0.3  # a budget that most passes exceed
LIFE_SECONDS = 2.0


def run(order: Order, announce: Announce) -> Report:
    """All is sent first, so that both databases are to see the same; then passes are cut until every window is judged."""
    sent, draw = Sent(), order.random
    with prepared(order.broker) as ground, closing(Producer(ground.kafka, sent)) as producer:
        seat_champion(ground)
        ground.copy_database(UNDISTURBED)
        for portion in portions(order):
            producer.send(portion)
        with Nursery(ground, judging=True) as nursery:
            for number in range(order.kills):
                kind = number % 3
                consumer = nursery.start(SHORT_SECONDS) if kind == 1 else nursery.start()
                if kind == 2:
                    nursery.start()  # the one before goes on beside it
                if number % 2:
                    await_transaction(ground)
                time.sleep(draw.uniform(0, LIFE_SECONDS))
                consumer.kill()
                announce(f"cut {number + 1} of {order.kills}")
            nursery.clear()
            drain(ground, nursery, sent)
        did = [f"cut {order.kills} passes off: killed, out of time, or left beside the next"]
        report = hold("tick-cut", did, ground.engine, sent)
        return _compare(report, ground)


def _compare(report: Report, ground: Ground) -> Report:
    """What both databases say of every window, row by row."""
    cut = _finished(ground, DATABASE)
    whole = _finished(ground, UNDISTURBED)
    report.did.append("held every window, verdict, decision and request against an undisturbed pass over the same log")
    for table in JUDGED:
        report.counts[table.name.replace("_", " ")] = len(cut[table.name])
        if cut[table.name] != whole[table.name]:
            report.wrong.append(
                f"{table.name}: {len(cut[table.name])} rows, not the same as the {len(whole[table.name])} undisturbed"
            )
    report.wrong += [] if cut[decisions.name] else ["no window was decided: this run shows nothing"]
    return report


def _finished(ground: Ground, database: str) -> dict[str, list[Mapping[str, Any]]]:
    """Let passes end in peace until no window is left to close; then all that they wrote."""
    engine = create_engine(ground.postgres.url(database))
    try:
        while watch(engine, Lake(ground.lake), ground.kafka, {drill.name: drill}, linger_seconds=0.0).judgements:
            pass
        with engine.connect() as connection:
            return {table.name: _rows(connection, table) for table in JUDGED}
    finally:
        engine.dispose()


def _rows(connection: sa.Connection, table: sa.Table) -> list[Mapping[str, Any]]:
    columns = [column for column in table.c if column.name not in UNTIMED]
    return [dict(row) for row in connection.execute(sa.select(*columns).order_by(*table.primary_key)).mappings()]
