"""Waits until a comparator is asked for, and starts the worker that fits it; nothing heavy is loaded while it waits."""

import logging
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg

from everfit.store.channels import COMPARATORS, LISTENER

LOOK_SECONDS = 5.0  # between two looks without a notice: a training that ended leaves its candidate for one
RETRY_SECONDS = 10.0  # after a failure
GRACE_SECONDS = 10.0  # for the worker to end
WORKER = (sys.executable, "-P", "-m", "monitors.comparator_worker")

logger = logging.getLogger(__name__)


def serve(database_url: str) -> None:
    """Wait and let fit, until the process ends; a server that is away is waited for.

    Args:
        database_url: an SQLAlchemy URL for psycopg.
    """
    while True:
        try:
            with psycopg.connect(_plain(database_url), autocommit=True, application_name=LISTENER) as connection:
                connection.execute(f"LISTEN {COMPARATORS}")
                _serve(connection)
        except psycopg.OperationalError as error:
            logger.warning("Postgres does not answer: %s", str(error).strip().partition("\n")[0])
            time.sleep(RETRY_SECONDS)


def _serve(connection: "psycopg.Connection[tuple[str]]") -> None:
    left: set[str] = set()  # what a worker found and did not fit, such as that of a model that is not declared here
    while True:
        asked = _asked(connection)
        if asked <= left:
            for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                pass
            continue
        with _worker() as worker:
            code = worker.wait()
        if code:
            logger.warning("the worker that fits comparators ended with exit code %d; the next starts soon", code)
            time.sleep(RETRY_SECONDS)
        else:
            left = _asked(connection, among=asked)


_ASKED = """
    SELECT id FROM comparators AS asked WHERE state = 'asked' AND NOT EXISTS (
        SELECT FROM retrain_requests AS training
        WHERE training.model = asked.model AND training.cutoff = asked.start AND training.status IN ('pending', 'launched')
    )
"""


def _asked(connection: "psycopg.Connection[tuple[str]]", among: Collection[str] | None = None) -> set[str]:
    """The ids of those that can be fitted now, of all or of these."""
    found = {name for (name,) in connection.execute(_ASKED)}
    return found if among is None else found & set(among)


@contextmanager
def _worker() -> Iterator["subprocess.Popen[bytes]"]:
    """The worker, which ends with this process."""
    worker = subprocess.Popen(WORKER)
    try:
        yield worker
    finally:
        worker.terminate()
        try:
            worker.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _plain(url: str) -> str:
    return url.replace("+psycopg", "", 1)
