"""Engines and migrations. Whoever starts a process builds its engine; nothing here is built at import."""

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
    """An engine for psycopg 3 whose sessions speak UTC; connections are checked before they are used.

    Args:
        url: SQLAlchemy's, for psycopg.
        durable: whether a commit waits for the disk. Where it does not, a server that is killed may forget the newest commits,
            never older ones: for writers that look where they stopped and write again from there.
    """
    options = "-c timezone=utc" if durable else "-c timezone=utc -c synchronous_commit=off"
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"options": options})


def migrate(engine: sa.Engine, revision: str = "head", *, down: bool = False) -> None:
    """Bring the schema up to a revision, or ``down`` to one; existing data stay, but for what an older one cannot hold.

    Raises:
        ServiceError: when the database does not answer.
        FormatError: when a newer version of everfit has migrated it.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with reachable(engine), engine.begin() as connection:
        _require_known(connection, config)
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


def _require_known(connection: sa.Connection, config: "Config") -> None:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise FormatError(
            f"the database holds schema {found}, and this everfit knows schemas up to {scripts.get_current_head()}: a newer "
            "everfit wrote it. Install that version again, or restore the backup from before the upgrade"
        )


@contextmanager
def reachable(engine: sa.Engine) -> "Iterator[None]":
    """Tell a database that does not answer as a :class:`ServiceError` that names it, its password masked."""
    try:
        yield
    except (OperationalError, psycopg.OperationalError) as error:
        where = engine.url.render_as_string(hide_password=True)
        cause = error.orig if isinstance(error, OperationalError) else error
        raise ServiceError(f"Postgres does not answer at {where} ({cause}); see `everfit doctor`") from error
