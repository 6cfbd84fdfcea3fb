"""Who owns the tables: in a deployment a role of their own, so that the application's role can change none of them."""

import os
from collections.abc import Mapping
from contextlib import closing

import sqlalchemy as sa
from psycopg import sql

from everfit.store.database import create_engine, migrate

OWNER, PASSWORD = "EVERFIT_OWNER_DATABASE_URL", "EVERFIT_OWNER_PASSWORD"

_GRANTS = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "REVOKE UPDATE, DELETE ON ledger, alembic_version FROM {role}",
    "REVOKE INSERT ON alembic_version FROM {role}",
    "GRANT EXECUTE ON FUNCTION make_month(text, timestamptz, timestamptz), drop_month(text) TO {role}",
)


def prepare_schema(engine: sa.Engine, environ: Mapping[str, str] = os.environ) -> None:
    """Migrate the schema, as the owner where ``EVERFIT_OWNER_DATABASE_URL`` names one; the engine's role may then use it.

    That role reads and writes rows, but adds alone to the ledger, and changes no table.

    Raises:
        ServiceError: when the database does not answer to one of them.
        FormatError: when a newer version of everfit has migrated it.
    """
    if not environ.get(OWNER):
        migrate(engine)
        return
    url = sa.make_url(environ[OWNER])
    owner = create_engine(url.set(password=url.password or environ.get(PASSWORD)).render_as_string(hide_password=False))
    try:
        migrate(owner)
        with engine.connect() as connection:
            role = connection.execute(sa.text("SELECT current_user")).scalar_one()
        with owner.begin() as connection, closing(connection.connection.cursor()) as cursor:
            for grant in _GRANTS:
                cursor.execute(sql.SQL(grant).format(role=sql.Identifier(role)))
    finally:
        owner.dispose()
