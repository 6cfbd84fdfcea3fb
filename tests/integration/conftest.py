"""The real Postgres and broker from the wheels: one server a session, a database and a broker of its own for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from everfit.embedded.postgres import Postgres
from everfit.store.database import create_engine, migrate
from tests.brokers import running_broker

TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server that holds a migrated database to copy from.

    Its folder is not pytest's: a second session would close that one to the system user that the server runs as for root.
    """
    folder = TemporaryDirectory()
    server = Postgres(Path(folder.name).resolve() / "data")
    try:
        server.start()
        server.create_databases([TEMPLATE])
        engine = create_engine(server.url(TEMPLATE))
        migrate(engine)
        engine.dispose()
        yield server
    finally:
        server.stop()
        folder.cleanup()


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """URL of a fresh, migrated database."""
    name = f"test_{uuid.uuid4().hex}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(postgres.url("postgres", "psycopg").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(copy)
        yield postgres.url(name)
        connection.execute(drop)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Engine of a fresh, migrated database."""
    made = create_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def kafka() -> Iterator[str]:
    """Address of a fresh broker that holds everfit's topics, empty."""
    with running_broker() as address:
        yield address
