"""The test bed of a drill: a Postgres and a broker of its own, in a temporary folder."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg import sql

from everfit.stack import apache_kafka, broker, processes
from everfit.stack.ports import LOCAL, any_free
from everfit.stack.postgres import Postgres
from everfit.stack.supervisor import BrokerKind
from everfit.store.database import create_engine, migrate
from everfit.topics.admin import create_topics
from everfit.waiting import wait_until

PARTITIONS = 3
DATABASE = "everfit"
START_SECONDS = 60.0


@dataclass(slots=True)
class TestBed:
    """The parts of one drill. ``data`` is Postgres' folder; everything else is in ``folder``."""

    folder: Path
    kind: BrokerKind
    postgres: Postgres
    engine: sa.Engine
    port: int
    largest_bytes: int | None
    broker: "subprocess.Popen[bytes] | None" = None

    @property
    def kafka(self) -> str:
        """The broker's address, the same after a restart."""
        return f"{LOCAL}:{self.port}"

    @property
    def lake(self) -> Path:
        """The lake's folder."""
        return self.folder / "lake"

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.postgres.url(DATABASE)

    def start_postgres(self) -> None:
        """Start the server unless it runs, wait until it answers, and migrate the schema."""

        def answering() -> bool:
            self.postgres.start()
            return self.postgres.answers()

        wait_until(answering, bool, f"Postgres in {self.postgres.data};", stall_seconds=START_SECONDS)
        self.postgres.create_databases([DATABASE])
        migrate(self.engine)

    def stop_postgres(self, *, crash: bool) -> None:
        """Stop the server, cutting off its sessions; with ``crash``, without a checkpoint."""
        process = self.postgres.process()
        if crash and process:
            process.send_signal(signal.SIGQUIT)
            processes.outlasting([process], START_SECONDS)
        self.postgres.stop()

    def copy_database(self, name: str) -> None:
        """Create a database of that name as a copy of the test bed's own."""
        self.engine.dispose()  # a template may have no sessions
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(DATABASE))
        with psycopg.connect(host=str(self.postgres.data), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(copy)

    def start_broker(self) -> None:
        """Start the broker, wait until it answers, and create missing topics."""
        command = apache_kafka.prepare(self.folder / "kafka", self.port) if self.kind == "kafka" else broker.command(self.port)
        with (self.folder / "broker.log").open("ab") as log:
            self.broker = subprocess.Popen(command, env=dict(os.environ), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(partial(broker.answers, self.kafka), bool, f"the broker at {self.kafka};", stall_seconds=START_SECONDS)
        self.make_topics()

    def make_topics(self) -> None:
        """Create missing topics."""
        create_topics(self.kafka, partitions=PARTITIONS, largest_bytes=self.largest_bytes)

    def kill_broker(self) -> None:
        """End the broker with SIGKILL."""
        if self.broker:
            self.broker.kill()
            self.broker.wait()
            self.broker = None

    def writing(self) -> bool:
        """Whether a session is inside a transaction that has written."""
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
        with psycopg.connect(host=str(self.postgres.data), user="postgres", dbname=DATABASE, autocommit=True) as connection:
            return connection.execute(query, [DATABASE]).fetchone() is not None


@contextmanager
def open_test_bed(kind: BrokerKind, *, data: Path | None = None, largest_bytes: int | None = None) -> Iterator[TestBed]:
    """A test bed with Postgres and the broker up; it is removed afterwards.

    Args:
        kind: the broker from the wheel, or Apache Kafka from ``KAFKA_HOME``.
        data: Postgres' data folder, if not in the test bed's own folder.
        largest_bytes: the largest record that the topics take; None is the broker's usual, 1 MB.

    Raises:
        StackError: when Postgres, or Apache Kafka, cannot be started here.
        ServiceError: when the broker does not answer.
    """
    folder = Path(tempfile.mkdtemp(prefix="everfit-drill-")).resolve()
    server = Postgres(data or folder / "postgres")
    bed = TestBed(folder, kind, server, create_engine(server.url(DATABASE)), any_free(), largest_bytes)
    try:
        bed.start_postgres()
        bed.start_broker()
        yield bed
    finally:
        bed.kill_broker()
        bed.engine.dispose()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
