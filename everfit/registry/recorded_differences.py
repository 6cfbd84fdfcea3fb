"""The differences between ledger and MLflow, given the addresses of both."""

from collections.abc import Mapping, Sequence

from everfit.registry.difference import Difference, differences


def read_differences(addresses: Mapping[str, str]) -> Sequence[Difference]:
    """As :func:`everfit.registry.difference.differences`, for all declared models; empty where an address is missing.

    Raises:
        ServiceError: when Postgres or MLflow does not answer, or Postgres has no schema yet.
        DeclarationError: when the models cannot be loaded.
    """
    if not {"database_url", "mlflow"} <= addresses.keys():
        return []
    import sqlalchemy as sa

    from everfit.declaration.discovery import load_models
    from everfit.errors import ServiceError
    from everfit.store.database import create_engine, reachable

    engine = create_engine(addresses["database_url"])
    try:
        with reachable(engine), engine.connect() as connection:
            return differences(connection, addresses["mlflow"], load_models())
    except sa.exc.ProgrammingError as error:
        raise ServiceError("Postgres holds no schema of everfit yet; run `everfit prepare`") from error
    finally:
        engine.dispose()
