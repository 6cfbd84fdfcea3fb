"""Engines and migrations. A process builds its engine when it starts; nothing is built at import."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from everfit.errors import FormatError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def create_engine(url: str, *, durable: bool = True) -> sa.Engine:
    """An engine for psycopg 3 with sessions in UTC; connections are checked before they are used.

    Args:
        url: an SQLAlchemy URL for psycopg.
        durable: whether a commit waits for the disk. Where it does not, a killed server may lose the newest commits: for
            writers that look up where they stopped and write again from there.
    """
    options = "-c timezone=utc" if durable else "-c timezone=utc -c synchronous_commit=off"
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"options": options})


def migrate(engine: sa.Engine, revision: str = "head", *, down: bool = False) -> None:
    """Upgrade the schema to a revision, or downgrade it with ``down``; data that a lower revision has no place for is lost.

    Raises:
        ServiceError: when the database does not answer.
        FormatError: when a newer version of everfit has migrated it.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with reachable(engine), engine.begin() as connection:
        _require_known_revision(connection, config)
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


def _require_known_revision(connection: sa.Connection, config: "Config") -> None:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise FormatError(
            f"the database has schema {current}, but this everfit knows schemas up to {scripts.get_current_head()}: a newer "
            "everfit migrated it. Install that version again, or restore the backup from before the upgrade"
        )


@contextmanager
def reachable(engine: sa.Engine) -> "Iterator[None]":
    """Raise a :class:`ServiceError` that names the database, with its password masked, where it does not answer."""
    try:
        yield
    except (OperationalError, psycopg.OperationalError) as error:
        where = engine.url.render_as_string(hide_password=True)
        cause = error.orig if isinstance(error, OperationalError) else error
        raise ServiceError(f"Postgres does not answer at {where} ({cause}); see `everfit doctor`") from error
