"""The real Postgres and broker from the wheels: one server a session, a database and a broker of its own for each test."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine

from everfit.stack.postgres import Postgres
from everfit.stack.services import POSTGRES
from everfit.stack.supervisor import Stack
from everfit.store.database import create_engine, migrate
from tests.brokers import running_broker
from tests.databases import TEMPLATE, fresh_database
from tests.serving_over_http import client, event_time, registry, serve

__all__ = ["client", "event_time", "registry", "serve"]


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
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Engine of a fresh, migrated database."""
    made = create_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an MLflow server with a Postgres of its own."""
    stack = Stack(tmp_path_factory.mktemp("home"), Path.cwd(), names=(POSTGRES, "mlflow"))
    try:
        yield stack.up()["mlflow"]
    finally:
        stack.down()


@pytest.fixture
def kafka() -> Iterator[str]:
    """Address of a fresh broker that holds everfit's topics, empty."""
    with running_broker() as address:
        yield address
