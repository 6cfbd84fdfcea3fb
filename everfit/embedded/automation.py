"""What acts by itself, as Dagster's webserver tells it: which sensors and schedules are on, and what their last tick said."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from everfit.errors import ServiceError

TIMEOUT_SECONDS = 5.0
_STATE = "status ticks(limit: 1) { timestamp status skipReason error { message } runIds }"
_QUERY = f"""
{{
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
    """A sensor or a schedule. ``waits`` says what its last tick found, or why it failed; times are UTC."""

    name: str
    kind: str
    on: bool
    last_tick_at: datetime | None
    last_tick: str | None
    waits: str
    next_tick_at: datetime | None


def automations(webserver: str) -> list[Automation]:
    """All sensors and schedules, by name.

    Raises:
        ServiceError: when the webserver does not answer, or has no definitions to tell of.
    """
    import httpx

    try:
        answer = httpx.post(f"{webserver}/graphql", json={"query": _QUERY}, timeout=TIMEOUT_SECONDS, trust_env=False)
        told = answer.raise_for_status().json()["data"]["repositoriesOrError"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise ServiceError(f"Dagster does not tell of its sensors at {webserver} ({type(error).__name__})") from error
    if told["__typename"] != "RepositoryConnection":
        raise ServiceError(f"Dagster has no definitions at {webserver}: {told.get('message', told['__typename'])}")
    found = [
        *(_read("sensor", one, one["sensorState"], [one["nextTick"]]) for node in told["nodes"] for one in node["sensors"]),
        *(
            _read("schedule", one, one["scheduleState"], one["futureTicks"]["results"])
            for node in told["nodes"]
            for one in node["schedules"]
        ),
    ]
    return sorted(found, key=lambda one: one.name)


def _read(kind: str, told: dict[str, Any], state: dict[str, Any], coming: list[dict[str, Any] | None]) -> Automation:
    last = state["ticks"][0] if state["ticks"] else None
    on = state["status"] == "RUNNING"
    return Automation(
        name=told["name"],
        kind=kind,
        on=on,
        last_tick_at=_moment(last),
        last_tick=last["status"].lower() if last else None,
        waits=_waits(last, _moment(next(iter(coming), None))) if on else "it is off: switch it on in Dagster, under Automation",
        next_tick_at=_moment(next(iter(coming), None)) if on else None,
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
