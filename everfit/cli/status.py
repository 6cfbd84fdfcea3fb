"""``everfit status``."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from everfit.errors import ServiceError
from everfit.settings import home_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everfit.embedded.automation import Automation
    from everfit.embedded.status import State

MEGABYTE = 2**20


def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """What runs, since when, where, and with how much memory; what acts by itself, and what it waits for."""
    from everfit.embedded.status import states

    home = home_folder()
    found = states(home)
    acting, problem = _automations()
    if as_json:
        document = {
            "home": str(home),
            "up": all(state.state == "up" for state in found),
            "memory_bytes": sum(state.memory_bytes for state in found),
            "services": [asdict(state) for state in found],
            "automation": [asdict(one) for one in acting],
            "automation_problem": problem,
        }
        print(json.dumps(document, indent=2, default=datetime.isoformat))
    else:
        _print(found)
        _print_automations(acting, problem)


def _automations() -> "tuple[list[Automation], str | None]":
    """Sensors and schedules; or none, and why they are not known."""
    from everfit.embedded.automation import automations
    from everfit.settings import addresses

    webserver = addresses().get("dagster")
    if webserver is None:
        return [], "Dagster is not up"
    try:
        return automations(webserver), None
    except ServiceError as error:
        return [], str(error)


def _print_automations(acting: "Sequence[Automation]", problem: str | None) -> None:
    print()
    if problem:
        print(f"automation: {problem}")
        return
    width = max((len(one.name) for one in acting), default=0)
    for one in acting:
        ticked = f"{one.last_tick_at:%Y-%m-%d %H:%M:%S} {one.last_tick}" if one.last_tick_at else "never"
        print(f"{one.name:<{width}}  {'on' if one.on else 'off':<3}  last tick {ticked}  {one.waits}")


def _print(found: "Sequence[State]") -> None:
    print(f"{'service':<9} {'state':<6} {'pid':>7} {'up for':>10} {'memory':>7}  address")
    for state in found:
        uptime = str(timedelta(seconds=int(state.uptime_seconds))) if state.pid else ""
        memory = f"{state.memory_bytes / MEGABYTE:.0f} MB" if state.memory_bytes else ""
        print(
            f"{state.name:<9} {state.state:<6} {state.pid or '':>7} {uptime:>10} {memory:>7}  {state.problem or state.address}"
        )
    total = sum(state.memory_bytes for state in found)
    print(f"{'together':<9} {'':<6} {'':>7} {'':>10} {total / MEGABYTE:.0f} MB")
