"""The sign of life that each pass of the loop gives: a row in Postgres, and a GET of ``EVERFIT_HEARTBEAT_URL`` where it is set.

Who watches for it is another process (:mod:`everfit.alerts.watchdog`), or a service elsewhere that tells when the calls stop.
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
    """One process of a kind.

    Args:
        engine: of everfit's database.
        process: which kind, ``heartbeats.SENSOR`` or ``heartbeats.INGEST``.
        settings: what the process works with, written beside its passes.
        every_seconds: passes that come sooner after the last sign give none.
        environ: where the URL is read from.
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
        """Give a sign of life, after a pass that succeeded.

        Raises:
            sqlalchemy.exc.OperationalError: when Postgres does not answer. What the URL does raises nothing.
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
        """What it works with; asked once, and without Kafka's identity: topics that were made again have another."""
        if self._uses is None:
            asked = uses(self._settings)
            self._uses = Uses(asked.addresses, {name: who for name, who in asked.identities.items() if name != "kafka"})
        return self._uses

    def _call(self) -> None:
        try:
            answer = httpx.get(self._url, timeout=TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # OSError: certificates that cannot be read
            self._tell(type(error).__name__)
        else:
            self._tell("" if answer.is_success else f"status {answer.status_code}")

    def _tell(self, failure: str) -> None:
        """Log that the calls began to fail, or succeed again; the URL's path is a secret."""
        if bool(failure) != self._is_away:
            self._is_away = bool(failure)
            parts = urlsplit(self._url)
            how = f"does not take the loop's sign of life: {failure}" if failure else "takes the loop's sign of life again"
            logger.warning("%s://%s/… %s", parts.scheme, parts.hostname, how)
