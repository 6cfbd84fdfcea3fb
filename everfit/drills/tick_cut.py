"""Interrupt passes while they read, judge and decide: killed, out of time, or left running beside the next one.

Evidence, decisions and requests must equal those of undisturbed passes on a copy of the database.
"""

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import sqlalchemy as sa

from everfit.drills.catalogue import Announce, Order
from everfit.drills.champion_install import install_champion
from everfit.drills.consumer_kill import await_transaction
from everfit.drills.consumer_pool import ConsumerPool
from everfit.drills.guarantee_report import Report, check_guarantee
from everfit.drills.models.drill import drill
from everfit.drills.test_bed import DATABASE, TestBed, open_test_bed
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions
from everfit.store.database import create_engine
from everfit.store.lake import Lake
from everfit.store.tables import decisions, evidence, retrain_requests, windows
from monitors.log_pass import run_pass

UNDISTURBED = "undisturbed"
COMPARED = (windows, evidence, decisions, retrain_requests)
UNTIMED = {"updated_at"}  # the wall clock's
SHORT_SECONDS = 0.3  # a budget that most passes exceed
LIFE_SECONDS = 2.0


def run(order: Order, announce: Announce) -> Report:
    """Send everything, so that both databases read the same; then interrupt passes until every window is judged."""
    sent, draw = Sent(), order.random
    with open_test_bed(order.broker) as bed, closing(Producer(bed.kafka, sent)) as producer:
        install_champion(bed)
        bed.copy_database(UNDISTURBED)
        for portion in portions(order):
            producer.send(portion)
        with ConsumerPool(bed, judging=True) as pool:
            for number in range(order.kills):
                kind = number % 3
                consumer = pool.start(SHORT_SECONDS) if kind == 1 else pool.start()
                if kind == 2:
                    pool.start()  # the previous one goes on beside it
                if number % 2:
                    await_transaction(bed)
                time.sleep(draw.uniform(0, LIFE_SECONDS))
                consumer.kill()
                announce(f"cut {number + 1} of {order.kills}")
            pool.clear()
            drain(bed, pool, sent)
        did = [f"cut {order.kills} passes off: killed, out of time, or left beside the next"]
        report = check_guarantee("tick-cut", did, bed.engine, sent)
        return _compare(report, bed)


def _compare(report: Report, bed: TestBed) -> Report:
    """Compare the two databases row by row."""
    cut = _finished(bed, DATABASE)
    whole = _finished(bed, UNDISTURBED)
    report.did.append("compared every window, verdict, decision and request with undisturbed passes over the same log")
    for table in COMPARED:
        report.counts[table.name.replace("_", " ")] = len(cut[table.name])
        if cut[table.name] != whole[table.name]:
            report.wrong.append(
                f"{table.name}: {len(cut[table.name])} rows, not the same as the {len(whole[table.name])} undisturbed"
            )
    report.wrong += [] if cut[decisions.name] else ["no window was decided: this run shows nothing"]
    return report


def _finished(bed: TestBed, database: str) -> dict[str, list[Mapping[str, Any]]]:
    """Run undisturbed passes until no window is left to close; returns all rows by table."""
    engine = create_engine(bed.postgres.url(database))
    try:
        while run_pass(engine, Lake(bed.lake), bed.kafka, {drill.name: drill}, linger_seconds=0.0).judgements:
            pass
        with engine.connect() as connection:
            return {table.name: _rows(connection, table) for table in COMPARED}
    finally:
        engine.dispose()


def _rows(connection: sa.Connection, table: sa.Table) -> list[Mapping[str, Any]]:
    columns = [column for column in table.c if column.name not in UNTIMED]
    return [dict(row) for row in connection.execute(sa.select(*columns).order_by(*table.primary_key)).mappings()]
