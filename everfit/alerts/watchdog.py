"""Whether the loop has stopped, detected by other processes, as its own could not.

The loop is alive while passes of the sensor succeed. `everfit ingest` reads in its place, but launches nothing.
"""

import logging
import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa

from everfit.alerts.channels import Channels
from everfit.alerts.notification import notify
from everfit.alerts.state import Findings
from everfit.environment.variables import setting
from everfit.errors import ServiceError
from everfit.store import heartbeats
from everfit.store.database import reachable
from everfit.store.heartbeats import INGEST, SENSOR, Heartbeat
from everfit.store.unanswered import Unanswered, unanswered
from everfit.timing import format_time

LOOK_SECONDS = 15.0
GRACE_SECONDS = 60.0  # for a loop that starts together with its watchdog

logger = logging.getLogger(__name__)


def silence(environ: Mapping[str, str] = os.environ) -> timedelta:
    """After how long without a successful pass the loop counts as stopped: ``EVERFIT_ALERT_SILENCE``, or ten minutes.

    Raises:
        SettingsError: when it is not a duration.
    """
    allowed: timedelta = setting("EVERFIT_ALERT_SILENCE", "10m", environ)
    return allowed


def stopped(beats: Mapping[str, Heartbeat], watched_seconds: float, allowed: timedelta) -> Findings:
    """Whether the loop passes.

    Args:
        beats: the newest pass of each kind of process.
        watched_seconds: how long the watchdog has run. A loop that never passed counts from its start; one that passed before
            a pause is given :data:`GRACE_SECONDS`.
        allowed: how long no pass may succeed.
    """
    late = {name for name in (SENSOR, INGEST) if _age(beats.get(name), watched_seconds) > allowed.total_seconds()}
    if SENSOR not in late:
        return Findings({"stopped"}, {}, {})
    if watched_seconds < min(GRACE_SECONDS, allowed.total_seconds()):
        return Findings(set(), {}, {})  # neither raised nor over
    last = beats.get(SENSOR)
    since = f"since {format_time(last.at.replace(microsecond=0))}" if last else "ever"
    what = (
        f"no tick of the sensor prediction_log has succeeded {since}: it is off or fails, or Dagster's daemon or code location "
        "does not run"
    )
    if INGEST in beats and INGEST not in late:
        return Findings({"stopped"}, {("", "stopped:launches"): f"{what}; `everfit ingest` reads on, nothing is launched"}, {})
    return Findings({"stopped"}, {("", "stopped"): f"{what}; nothing is read, judged or retrained"}, {})


def _age(beat: Heartbeat | None, watched_seconds: float) -> float:
    return beat.age_seconds if beat else watched_seconds


class Watchdog:
    """Checks the loop from another process, in a thread of its own, and sends alerts; of several watchdogs only one sends."""

    def __init__(self, engine: sa.Engine, channels: Channels, allowed: timedelta, models: Collection[str] = ()) -> None:
        self.unanswered: Sequence[Unanswered] = ()  # as last read
        self._models = models
        self._engine = engine
        self._channels = channels
        self._allowed = allowed
        self._began = self._passed_at = time.monotonic()
        self._is_blind = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    @property
    def loop_age_seconds(self) -> float:
        """Seconds since the last successful pass of the loop; where there was none, since the watchdog started."""
        return time.monotonic() - self._passed_at

    def start(self) -> None:
        """Start checking, until :meth:`close`."""
        self._thread.start()

    def close(self) -> None:
        """Stop checking; returns when a check under way has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Check once, and send due alerts. A Postgres that does not answer is logged once, and the loop's age increases."""
        try:
            with reachable(self._engine), self._engine.connect() as connection:
                beats = heartbeats.newest(connection)
                self.unanswered = unanswered(connection, self._models)
                connection.rollback()
            if beats:
                self._passed_at = time.monotonic() - min(beat.age_seconds for beat in beats.values())
            findings = stopped(beats, time.monotonic() - self._began, self._allowed)
            with reachable(self._engine):
                notify(self._engine, findings, self._channels)
            self._is_blind = False
        except (ServiceError, sa.exc.SQLAlchemyError, OSError) as error:
            if not self._is_blind:
                logger.warning("whether the loop passes cannot be checked: %s", error)
            self._is_blind = True

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(LOOK_SECONDS)
