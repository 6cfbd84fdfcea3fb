"""The heartbeat of the loop after each pass: a row in Postgres, and a GET of ``EVERFIT_HEARTBEAT_URL`` where it is set.

Another process checks it (:mod:`everfit.alerts.watchdog`), or an external service that alerts when the calls stop.
"""

import logging
import os
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa

from everfit.environment.settings import Settings
from everfit.stack.parts_in_use import Uses, uses
from everfit.store import heartbeats

URL = "EVERFIT_HEARTBEAT_URL"
TIMEOUT_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Heart:
    """The heartbeat of a process.

    Args:
        engine: of everfit's database.
        process: the kind of process, ``heartbeats.SENSOR`` or ``heartbeats.INGEST``.
        settings: the parts that the process uses, recorded with its passes.
        every_seconds: shortest time between two heartbeats.
        environ: the environment variables, with the URL.
    """

    def __init__(
        self,
        engine: sa.Engine,
        process: str,
        settings: Settings,
        *,
        every_seconds: float = 0.0,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._engine = engine
        self._process = process
        self._settings = settings
        self._every_seconds = every_seconds
        self._url = environ.get(URL, "")
        self._next = 0.0
        self._is_away = False
        self._uses: Uses | None = None

    def beat(self) -> None:
        """Record a heartbeat, after a pass that succeeded.

        Raises:
            sqlalchemy.exc.OperationalError: when Postgres does not answer. A failing URL is logged.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_seconds
        works_with = self._works_with()
        with self._engine.begin() as connection:
            heartbeats.beat(connection, self._process, works_with.addresses, works_with.identities)
        if self._url:
            self._call()

    def _works_with(self) -> Uses:
        """The parts that it uses, read once; without Kafka's identity, which changes when topics are created again."""
        if self._uses is None:
            parts = uses(self._settings)
            self._uses = Uses(parts.addresses, {name: who for name, who in parts.identities.items() if name != "kafka"})
        return self._uses

    def _call(self) -> None:
        try:
            answer = httpx.get(self._url, timeout=TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # OSError: certificates that cannot be read
            self._log_change(type(error).__name__)
        else:
            self._log_change("" if answer.is_success else f"status {answer.status_code}")

    def _log_change(self, failure: str) -> None:
        """Log when the calls begin to fail or succeed again, without the URL's path, which is a secret."""
        if bool(failure) != self._is_away:
            self._is_away = bool(failure)
            parts = urlsplit(self._url)
            how = f"does not accept the loop's heartbeat: {failure}" if failure else "accepts the loop's heartbeat again"
            logger.warning("%s://%s/… %s", parts.scheme, parts.hostname, how)
