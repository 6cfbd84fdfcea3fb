"""The advisory locks of the database. All are named here, so that no two have one name."""

import sqlalchemy as sa

ALERTS = 0x616C657274  # "alert": one process sends alerts at a time
INGESTING = (25_974, 1)  # shared by the members of `everfit ingest`
FITTING = 25_975  # with a number of the comparator that a session fits
MONTHS = "partitions"  # the monthly tables of the predictions are made or dropped

# Each with the name of what is locked behind it.
DATASET = "partitions:"  # versions of a dataset's partitions are numbered
LEDGER = "ledger:"  # one promotion or rollback of a model at a time
SOURCE = "everfit.sources/"  # rows of a source are published, or read to build a view
VIEW = "everfit.views/"  # a version of a view is built
WINDOWS = "windows:"  # a window of a model closes; who writes predictions shares it: a row is counted in its window, or late


def try_hold(connection: sa.Connection, name: str) -> bool:
    """Hold a lock until the transaction ends, where nobody else holds it."""
    return bool(connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(name, 0)))).scalar())


def hold(connection: sa.Connection, name: str) -> None:
    """Wait for a lock, and hold it until the transaction ends."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
