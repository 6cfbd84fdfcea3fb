"""What `everfit doctor` says of parts of models that fail and are set aside."""

from everfit.doctor.connections import Check
from everfit.errors import ServiceError
from everfit.timing import format_time

TODO = "mend its reason: it is tried again by itself, and all else goes on"


def aside_checks(database_url: str) -> list[Check]:
    """A check for each; none where Postgres does not answer or holds no schema yet, which another check tells."""
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
        Check(one.part.model or "everfit", f"{one.part} fails since {format_time(one.first_at)}: {one.error}", TODO)
        for one in listed
    ]
