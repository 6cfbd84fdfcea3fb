"""Who reads the same topic: each in a process of its own, against a database of its own; returns seconds and peak bytes.

Seconds run from the first poll to the last row committed, imports and connecting aside.
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import sqlalchemy as sa
from kafka import KafkaConsumer, TopicPartition
from sqlalchemy.dialects.postgresql import JSONB, insert

from everfit.drills.models.drill import drill
from everfit.environment.kafka_options import consumer_options
from everfit.store.database import create_engine
from everfit.store.lake import Lake
from everfit.topics.events import PREDICTIONS
from monitors.log_pass import run_pass

POLL_RECORDS = 500  # a poll of the client's, and a commit of the plain loops
COPY_ROWS = 10_000

plain_table = sa.Table(
    "plain",
    sa.MetaData(),
    sa.Column("event_time", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("role", "entity", "schema")),
    sa.Column("features", JSONB),
    sa.Column("score", sa.Float(53)),
    sa.Column("degraded", sa.Boolean),
)

Measured = tuple[float, int]


def poll_loop(kafka: str, _: str, count: int) -> Measured:
    """(a) kafka-python's bare poll loop: what the client can do at most."""
    with _consumer(kafka) as consumer:
        began, read = time.perf_counter(), 0
        while read < count:
            read += sum(map(len, consumer.poll(timeout_ms=500, max_records=COPY_ROWS).values()))
        return _measured(began)


def everfit(kafka: str, url: str, count: int) -> Measured:
    """(b) everfit's whole path: checked, stored on the identity, offsets in the same transaction, windows closed."""
    engine, read = create_engine(url), 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as lake:
        while read < count:
            read += sum(run_pass(engine, Lake(Path(lake)), kafka, {drill.name: drill}, linger_seconds=0).predictions.values())
    return _measured(began)


def quix(kafka: str, url: str, count: int) -> Measured:
    """(c) Quix Streams with its PostgreSQL sink, at its usual settings."""
    from quixstreams import Application
    from quixstreams.sinks.community.postgresql import PostgreSQLSink

    logging.disable(logging.WARNING)
    parts = urlsplit(url)
    sink = PostgreSQLSink(
        parse_qs(parts.query)["host"][0], 5432, parts.path.strip("/"), parts.username or "", parts.password or "", "quix"
    )
    application = Application(kafka, consumer_group="quix", auto_offset_reset="earliest", loglevel="ERROR")
    application.dataframe(application.topic(PREDICTIONS, value_deserializer="json")).sink(sink)
    began = time.perf_counter()
    application.run(count=count, collect=False)
    return _measured(began)


def plain(kafka: str, url: str, count: int) -> Measured:
    """(d) a plain loop of kafka-python, json and SQLAlchemy: one INSERT a message, one commit a poll of 500."""

    def store(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            connection.execute(insert(plain_table).on_conflict_do_nothing(), row)

    return _plain_loop(kafka, url, count, store)


def executemany(kafka: str, url: str, count: int) -> Measured:
    """(d') the same with executemany."""

    def store(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        connection.execute(insert(plain_table).on_conflict_do_nothing(), rows)

    return _plain_loop(kafka, url, count, store)


def bare_copy(kafka: str, url: str, count: int) -> Measured:
    """(e) COPY of the same rows, from memory into a table without keys: what the database can do at most."""
    engine = create_engine(url)
    columns = ("event_time", "request_id", "model", "version", "role", "entity", "schema", "features", "score", "degraded")
    lines: list[str] = []
    with _consumer(kafka) as consumer:
        while len(lines) < count:
            for records in consumer.poll(timeout_ms=500, max_records=COPY_ROWS).values():
                for record in records:
                    row = json.loads(record.value) | {}
                    row["features"] = json.dumps(row["features"])
                    lines.append("\t".join(str(row[name]) for name in columns) + "\n")
    blocks = ["".join(lines[at : at + COPY_ROWS]).encode() for at in range(0, count, COPY_ROWS)]
    types = ["timestamptz", "text", "text", "int", "text", "text", "text", "jsonb", "float8", "bool"]
    with engine.connect() as connection:
        cursor: Any = connection.connection.cursor()
        assert isinstance(cursor, psycopg.Cursor)
        cursor.execute(f"CREATE TABLE bare ({', '.join(f'{n} {t}' for n, t in zip(columns, types, strict=True))})")
        connection.commit()
        began = time.perf_counter()
        for block in blocks:
            with cursor.copy("COPY bare FROM STDIN") as copy:
                copy.write(block)
            connection.commit()
    return _measured(began)


def _plain_loop(kafka: str, url: str, count: int, store: Callable[[sa.Connection, list[dict[str, Any]]], None]) -> Measured:
    engine = create_engine(url)
    plain_table.create(engine)
    with _consumer(kafka) as consumer, engine.connect() as connection:
        began, read = time.perf_counter(), 0
        while read < count:
            polled = consumer.poll(timeout_ms=500, max_records=POLL_RECORDS)
            rows = [json.loads(record.value) for records in polled.values() for record in records]
            if rows:
                store(connection, rows)
                connection.commit()
            read += len(rows)
        return _measured(began)


def _consumer(kafka: str) -> KafkaConsumer:
    consumer = KafkaConsumer(**consumer_options(kafka))
    partitions = [TopicPartition(PREDICTIONS, number) for number in consumer.partitions_for_topic(PREDICTIONS)]
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)
    return consumer


def _measured(began: float) -> Measured:
    told = Path("/proc/self/status").read_text()  # getrusage would tell the parent's peak too
    return time.perf_counter() - began, int(told.split("VmHWM:")[1].split()[0]) * 1024
