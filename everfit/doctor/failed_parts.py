"""Checks of the parts of models that fail and are isolated."""

from everfit.doctor.connections import Check
from everfit.errors import ServiceError
from everfit.timing import format_time

TODO = "correct the cause: it is retried by itself, and everything else goes on"


def aside_checks(database_url: str) -> list[Check]:
    """A check for each isolated part; none where Postgres does not answer or has no schema, which another check reports."""
    import sqlalchemy as sa

    from everfit.store import failures
    from everfit.store.database import create_engine, reachable

    engine = create_engine(database_url)
    try:
        with reachable(engine), engine.connect() as connection:
            listed = failures.listed(connection)
    except (ServiceError, sa.exc.ProgrammingError):
        return []
    finally:
        engine.dispose()
    return [
        Check(
            failure.part.model or "everfit",
            f"{failure.part} fails since {format_time(failure.first_at)}: {failure.error}",
            TODO,
        )
        for failure in listed
    ]
