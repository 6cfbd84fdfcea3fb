"""Databases of their own for tests, on the session's server."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from psycopg import sql

from everfit.stack.postgres import Postgres

TEMPLATE = "migrated"  # what is copied from


@contextmanager
def fresh_database(postgres: Postgres) -> Iterator[str]:
    """URL of a migrated database that lives as long as the block."""
    name = f"test_{uuid.uuid4().hex}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(postgres.url("postgres", "psycopg").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(copy)
        yield postgres.url(name)
        connection.execute(drop)


def emptied(engine: sa.Engine) -> None:
    """Nothing is left in any table, the append-only ledger either; for tests that draw many examples on one database."""
    with engine.begin() as connection:
        names = [name for name in sa.inspect(connection).get_table_names() if name != "alembic_version"]
        connection.execute(sa.text("ALTER TABLE ledger DISABLE TRIGGER append_only"))
        connection.execute(sa.text(f"TRUNCATE {', '.join(names)} CASCADE"))
        connection.execute(sa.text("ALTER TABLE ledger ENABLE ALWAYS TRIGGER append_only"))
