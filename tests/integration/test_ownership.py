"""Outside the embedded mode the application's role owns no table: it works, and cannot reach behind the ledger."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from everfit.stack.postgres import Postgres
from everfit.store import ledger, month_partitions
from everfit.store.database import create_engine
from everfit.store.ledger import Entry
from everfit.store.ownership import OWNER, prepare_schema
from tests.events import prediction, write

AT = datetime(1996, 9, 11, tzinfo=UTC)


@pytest.fixture
def urls(postgres: Postgres) -> Iterator[tuple[str, str]]:
    """The owner's URL of an empty database, and the application's."""
    name = uuid.uuid4().hex
    app, owner, database = f"app_{name}", f"owner_{name}", f"owned_{name}"
    statements = (
        "CREATE ROLE {app} LOGIN",
        "CREATE ROLE {owner} LOGIN",
        "CREATE DATABASE {database} OWNER {owner}",
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {app}",
    )
    ended = ("DROP DATABASE {database} WITH (FORCE)", "DROP ROLE {app}", "DROP ROLE {owner}")
    named = {"app": sql.Identifier(app), "owner": sql.Identifier(owner), "database": sql.Identifier(database)}
    url = sa.make_url(postgres.url(database))
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement).format(**named))
        yield (
            url.set(username=owner).render_as_string(hide_password=False),
            url.set(username=app).render_as_string(hide_password=False),
        )
        for statement in ended:
            connection.execute(sql.SQL(statement).format(**named))


def test_the_role_of_the_application_works_and_owns_nothing(urls: tuple[str, str]) -> None:
    owner, app = urls
    engine = create_engine(app)
    try:
        for _ in range(2):  # as an upgrade does
            prepare_schema(engine, {OWNER: owner})
        with engine.connect() as connection:
            owned = sa.text("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
            assert connection.execute(owned).scalar() == 0
        write(engine, [prediction(0)], [])
        with engine.begin() as connection:
            ledger.append(connection, Entry("price", "rejected", None, None, "test", "drift", "worse", None, AT, {}))
            months = [name for name, _, _ in month_partitions.made(connection)]
            month_partitions.drop(connection, months[0])
            assert [name for name, _, _ in month_partitions.made(connection)] == months[1:]
        for refused in (
            "UPDATE ledger SET reason = 'nicer'",
            "DELETE FROM ledger",
            "TRUNCATE ledger",
            "DROP TABLE ledger",
            "ALTER TABLE ledger DISABLE TRIGGER append_only",
            "DROP TRIGGER append_only ON ledger",
            "SET session_replication_role = replica",
            "CREATE TABLE mine (n integer)",
        ):
            with (
                engine.connect() as connection,
                pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"),
            ):
                connection.execute(sa.text(refused))
    finally:
        engine.dispose()
