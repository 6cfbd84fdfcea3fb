"""``everfit status``."""

import os
import time
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json
from everfit.environment.settings import elsewhere, home_folder
from everfit.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everfit.dagster_api.automation import Automation
    from everfit.registry.difference import Difference
    from everfit.serving.view_states import ViewState
    from everfit.stack.states import State
    from everfit.store.failures import Failure
    from everfit.store.log_state import TopicState

MEGABYTE = 2**20


def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """What runs, since when, where, and with how much memory; what acts by itself, and what it waits for."""
    from everfit.stack.external_parts import managed
    from everfit.stack.states import states

    home = home_folder()
    found = [] if elsewhere() else states(home, managed(home, os.environ))
    acting, problem = _automations(daemon_runs=all(state.state != "down" for state in found if state.name == "daemon"))
    read, late, aside, views = _stored()
    differing = _differing()
    if as_json:
        document = {
            "home": str(home),
            "up": all(state.state == "up" for state in found) if found else None,
            "memory_bytes": sum(state.memory_bytes for state in found),
            "services": [asdict(state) for state in found],
            "prediction_log": {"topics": [asdict(one) for one in read], "late": late},
            "views": [asdict(one) for one in views],
            "set_aside": [asdict(one) for one in aside],
            "registry": [asdict(one) | {"what": one.what, "todo": one.todo} for one in differing],
            "automation": [asdict(one) for one in acting],
            "automation_problem": problem,
        }
        print_json(document)
    else:
        _print(found)
        _print_log(read, late)
        _print_views(views)
        _print_aside(aside)
        for one in differing:
            print(f"\n{one.model}: {one}")
        _print_automations(acting, problem)


def _stored() -> "tuple[list[TopicState], dict[str, int], Sequence[Failure], Sequence[ViewState]]":
    """How far the log is read, what is set aside, and the views; nothing where Postgres does not answer, as its row says."""
    from everfit.environment.settings import addresses

    url = addresses().get("database_url")
    if url is None:
        return [], {}, [], []
    import sqlalchemy as sa

    from everfit.serving.view_states import read_states
    from everfit.store import failures, log_state
    from everfit.store.database import create_engine, reachable

    engine = create_engine(url)
    try:
        with reachable(engine), engine.connect() as connection:
            stored = log_state.topics(connection), log_state.late(connection), failures.listed(connection)
            return *stored, read_states(engine)
    except (ServiceError, sa.exc.ProgrammingError):  # the latter where the schema is not there yet
        return [], {}, [], []
    finally:
        engine.dispose()


def _differing() -> "Sequence[Difference]":
    """Where MLflow says something else than the ledger; nothing where either does not answer, which `everfit doctor` tells."""
    from everfit.environment.settings import addresses
    from everfit.errors import DeclarationError
    from everfit.registry.recorded_differences import read_differences

    try:
        return read_differences(addresses())
    except (ServiceError, DeclarationError):
        return []


def _print_log(read: "Sequence[TopicState]", late: dict[str, int]) -> None:
    if not read:
        return
    print(f"\n{'prediction log':<22} {'read':>10} {'lag':>8} {'dead letters':>13} {'restarts':>9} {'gaps':>5} {'missing':>8}")
    for one in read:
        numbers = f"{one.read:>10} {one.lag:>8} {one.dead_letters:>13} {one.restarts:>9} {one.gaps:>5} {one.missing:>8}"
        print(f"{one.topic:<22} {numbers}")
    for model, count in late.items():
        print(f"{model}: {count} predictions came after their window had closed")


def _print_views(views: "Sequence[ViewState]") -> None:
    """Each version of each view: built, building with its share, or stale."""
    if not views:
        return
    print(f"\n{'view':<22} {'version':<13} {'source':<18} state")
    for one in views:
        share = "" if one.state == "built" else f" {one.share:.0%}"
        problem = f", cannot be built: {one.problem}" if one.problem else ""
        print(f"{one.view:<22} {one.version:<13} {one.source:<18} {one.state}{share}{problem}")


def _print_aside(aside: "Sequence[Failure]") -> None:
    """What fails while the rest goes on, and when it is tried again."""
    if aside:
        print("\nset aside")
    for one in aside:
        tried = f"{one.attempts} attempts since {one.first_at:%Y-%m-%d %H:%M:%S}, the next at {one.retry_at:%Y-%m-%d %H:%M:%S}"
        print(f"{one.part.model or 'everfit'}: {one.part}: {one.error} ({tried})")


def _automations(*, daemon_runs: bool) -> "tuple[list[Automation], str | None]":
    """Sensors and schedules; or none, and why they are not known."""
    from everfit.dagster_api.automation import automations
    from everfit.environment.settings import addresses

    webserver = addresses().get("dagster")
    if webserver is None:
        return [], "Dagster is not up"
    try:
        return automations(webserver, time.time(), daemon_runs=daemon_runs), None
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
        print(f"{one.name:<{width}}  {one.state:<4}  last tick {ticked}  {one.waits}")


def _print(found: "Sequence[State]") -> None:
    if not found:
        print("the environment names every server, none of them embedded: `everfit doctor` asks each")
        return
    print(f"{'service':<9} {'state':<6} {'pid':>7} {'up for':>10} {'memory':>7}  address")
    for state in found:
        uptime = str(timedelta(seconds=int(state.uptime_seconds))) if state.pid else ""
        memory = f"{state.memory_bytes / MEGABYTE:.0f} MB" if state.memory_bytes else ""
        print(
            f"{state.name:<9} {state.state:<6} {state.pid or '':>7} {uptime:>10} {memory:>7}  {state.problem or state.address}"
        )
    total = sum(state.memory_bytes for state in found)
    print(f"{'together':<9} {'':<6} {'':>7} {'':>10} {total / MEGABYTE:.0f} MB")
