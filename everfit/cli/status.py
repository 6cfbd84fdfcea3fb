"""``everfit status``."""

import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from everfit.settings import home_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everfit.embedded.status import State

MEGABYTE = 2**20


def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """What runs, since when, where, and with how much memory."""
    from everfit.embedded.status import states

    home = home_folder()
    found = states(home)
    if as_json:
        document = {
            "home": str(home),
            "up": all(state.state == "up" for state in found),
            "memory_bytes": sum(state.memory_bytes for state in found),
            "services": [asdict(state) for state in found],
        }
        print(json.dumps(document, indent=2))
    else:
        _print(found)


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
