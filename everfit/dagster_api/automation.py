"""The sensors and schedules of Dagster, read from its webserver: which are on, and the result of their last tick."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from everfit.dagster_api.client import GraphQL
from everfit.errors import ServiceError

TIMEOUT_SECONDS = 5.0
HEARTBEAT_SECONDS = 90.0  # a daemon sends one every 30 s
DAEMONS = {"sensor": "SENSOR", "schedule": "SCHEDULER"}
# Without a time, Dagster looks ticks up by the current address of the code location and misses the earlier ones.
_STATE = "status ticks(limit: 1, afterTimestamp: 1) { timestamp status skipReason error { message } runIds }"
_QUERY = f"""
{{
  instance {{ daemonHealth {{ allDaemonStatuses {{ daemonType lastHeartbeatTime }} }} }}
  repositoriesOrError {{
    __typename
    ... on RepositoryConnection {{
      nodes {{
        sensors {{ name sensorState {{ {_STATE} }} nextTick {{ timestamp }} }}
        schedules {{ name scheduleState {{ {_STATE} }} futureTicks(limit: 1) {{ results {{ timestamp }} }} }}
      }}
    }}
    ... on PythonError {{ message }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Automation:
    """A sensor or a schedule. ``waits`` is what it waits for, or why its last tick failed; times are UTC.

    It acts where it is ``on`` and ``alive``: where the daemon that ticks it sends heartbeats.
    """

    name: str
    kind: str
    on: bool
    alive: bool
    last_tick_at: datetime | None
    last_tick: str | None
    waits: str
    next_tick_at: datetime | None

    @property
    def state(self) -> str:
        """In a word: on, off, or dead."""
        return "off" if not self.on else "on" if self.alive else "dead"


def automations(webserver: str, now: float, *, daemon_runs: bool = True) -> list[Automation]:
    """All sensors and schedules, by name.

    Args:
        webserver: Dagster's address.
        now: Unix time.
        daemon_runs: False where the daemon's process is known not to run; otherwise its heartbeats decide.

    Raises:
        ServiceError: when the webserver does not answer, or has loaded no definitions.
    """
    with GraphQL(webserver, TIMEOUT_SECONDS) as dagster:
        answer = dagster.execute(_QUERY)
    repositories = answer["repositoriesOrError"]
    if repositories["__typename"] != "RepositoryConnection":
        raise ServiceError(
            f"Dagster has no definitions at {webserver}: {repositories.get('message', repositories['__typename'])}"
        )
    statuses = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    beats = {status["daemonType"]: status["lastHeartbeatTime"] or 0.0 for status in statuses}
    alive = {kind: daemon_runs and beats.get(daemon, 0.0) > now - HEARTBEAT_SECONDS for kind, daemon in DAEMONS.items()}
    entries = [
        *(_sensor(entry, alive["sensor"]) for node in repositories["nodes"] for entry in node["sensors"]),
        *(_schedule(entry, alive["schedule"]) for node in repositories["nodes"] for entry in node["schedules"]),
    ]
    return sorted(entries, key=lambda entry: entry.name)


def _sensor(node: dict[str, Any], alive: bool) -> Automation:
    return _read("sensor", alive, node["name"], node["sensorState"], node["nextTick"])


def _schedule(node: dict[str, Any], alive: bool) -> Automation:
    return _read("schedule", alive, node["name"], node["scheduleState"], next(iter(node["futureTicks"]["results"]), None))


def _read(kind: str, alive: bool, name: str, state: dict[str, Any], coming: dict[str, Any] | None) -> Automation:
    last = state["ticks"][0] if state["ticks"] else None
    on = state["status"] == "RUNNING"
    waits = _waits(last, _moment(coming))
    if not alive:
        waits = "the daemon that ticks it does not run: start it (`everfit up`)"
    return Automation(
        name=name,
        kind=kind,
        on=on,
        alive=alive,
        last_tick_at=_moment(last),
        last_tick=last["status"].lower() if last else None,
        waits=waits if on else "it is off: turn it on in Dagster, under Automation",
        next_tick_at=_moment(coming) if on and alive else None,
    )


def _waits(last: dict[str, Any] | None, coming: datetime | None) -> str:
    if last is None:
        return f"its first tick{coming:, %Y-%m-%d %H:%M} UTC" if coming else "its first tick"
    if last["error"]:
        return str(last["error"]["message"]).strip().splitlines()[0]
    launched = len(last["runIds"])
    return last["skipReason"] or (f"{launched} runs that it launched" if launched else "its next tick")


def _moment(tick: dict[str, Any] | None) -> datetime | None:
    return datetime.fromtimestamp(tick["timestamp"], UTC) if tick else None
