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
    from everfit.pipeline.open_rollouts import OpenRollout
    from everfit.registry.difference import Difference
    from everfit.serving.view_states import ViewState
    from everfit.stack.states import State
    from everfit.store.failures import Failure
    from everfit.store.log_state import TopicState

MEGABYTE = 2**20


def status(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Print the services with address, uptime and memory, the log, views, rollouts, failures, and the automation."""
    from everfit.stack.external_parts import managed
    from everfit.stack.states import states

    home = home_folder()
    services = [] if elsewhere() else states(home, managed(home, os.environ))
    acting, problem = _automations(daemon_runs=all(state.state != "down" for state in services if state.name == "daemon"))
    read, late, aside, views, rolling = _stored()
    differing = _differing()
    if as_json:
        document = {
            "home": str(home),
            "up": all(state.state == "up" for state in services) if services else None,
            "memory_bytes": sum(state.memory_bytes for state in services),
            "services": [asdict(state) for state in services],
            "prediction_log": {"topics": [asdict(topic) for topic in read], "late": late},
            "views": [asdict(view) for view in views],
            "rollouts": [asdict(rollout) for rollout in rolling],
            "set_aside": [asdict(failure) for failure in aside],
            "registry": [asdict(difference) | {"what": difference.what, "todo": difference.todo} for difference in differing],
            "automation": [asdict(automation) for automation in acting],
            "automation_problem": problem,
        }
        print_json(document)
    else:
        _print_services(services)
        _print_log(read, late)
        _print_views(views)
        for rollout in rolling:
            typer.echo(f"\n{rollout}")
        _print_aside(aside)
        for difference in differing:
            typer.echo(f"\n{difference.model}: {difference}")
        _print_automations(acting, problem)


def _stored() -> "tuple[list[TopicState], dict[str, int], Sequence[Failure], Sequence[ViewState], Sequence[OpenRollout]]":
    """How far the log is read, what is set aside, the views, and the open rollouts; empty where Postgres does not answer."""
    from everfit.environment.settings import addresses

    url = addresses().get("database_url")
    if url is None:
        return [], {}, [], [], []
    import sqlalchemy as sa

    from everfit.pipeline.open_rollouts import open_rollouts
    from everfit.serving.view_states import read_states
    from everfit.store import failures, log_state
    from everfit.store.database import create_engine, reachable

    engine = create_engine(url)
    try:
        with reachable(engine), engine.connect() as connection:
            stored = log_state.topics(connection), log_state.late(connection), failures.listed(connection)
            return *stored, read_states(engine), open_rollouts(connection)
    except (ServiceError, sa.exc.ProgrammingError):  # the latter where the schema is not there yet
        return [], {}, [], [], []
    finally:
        engine.dispose()


def _differing() -> "Sequence[Difference]":
    """Where MLflow differs from the ledger; empty where one of them does not answer, which `everfit doctor` reports."""
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
    typer.echo(
        f"\n{'prediction log':<22} {'read':>10} {'lag':>8} {'dead letters':>13} {'restarts':>9} {'gaps':>5} {'missing':>8}"
    )
    for topic in read:
        start = f"{topic.topic:<22} {topic.read:>10} {topic.lag:>8} {topic.dead_letters:>13}"
        typer.echo(f"{start} {topic.restarts:>9} {topic.gaps:>5} {topic.missing:>8}")
    for model, count in late.items():
        typer.echo(f"{model}: {count} predictions came after their window had closed")


def _print_views(views: "Sequence[ViewState]") -> None:
    """Each version of each view: built, building with its share, or stale."""
    if not views:
        return
    typer.echo(f"\n{'view':<22} {'version':<13} {'source':<18} state")
    for view in views:
        share = "" if view.state == "built" else f" {view.share:.0%}"
        problem = f", cannot be built: {view.problem}" if view.problem else ""
        typer.echo(f"{view.view:<22} {view.version:<13} {view.source:<18} {view.state}{share}{problem}")


def _print_aside(aside: "Sequence[Failure]") -> None:
    """What fails while the rest continues, and when it is tried again."""
    if aside:
        typer.echo("\nset aside")
    for failure in aside:
        first, following = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (failure.first_at, failure.retry_at))
        tried = f"{failure.attempts} attempts since {first}, the next at {following}"
        typer.echo(f"{failure.part.model or 'everfit'}: {failure.part}: {failure.error} ({tried})")


def _automations(*, daemon_runs: bool) -> "tuple[list[Automation], str | None]":
    """Sensors and schedules; or none, and the reason why."""
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
    typer.echo()
    if problem:
        typer.echo(f"automation: {problem}")
        return
    width = max((len(automation.name) for automation in acting), default=0)
    for automation in acting:
        at = automation.last_tick_at
        ticked = f"{at:%Y-%m-%d %H:%M:%S} {automation.last_tick}" if at else "never"
        typer.echo(f"{automation.name:<{width}}  {automation.state:<4}  last tick {ticked}  {automation.waits}")


def _print_services(services: "Sequence[State]") -> None:
    if not services:
        typer.echo("the environment names every server, none of them embedded: `everfit doctor` asks each")
        return
    typer.echo(f"{'service':<11} {'state':<6} {'pid':>7} {'up for':>10} {'memory':>7}  address")
    for state in services:
        uptime = str(timedelta(seconds=int(state.uptime_seconds))) if state.pid else ""
        memory = f"{state.memory_bytes / MEGABYTE:.0f} MB" if state.memory_bytes else ""
        typer.echo(
            f"{state.name:<11} {state.state:<6} {state.pid or '':>7} {uptime:>10} {memory:>7}  {state.problem or state.address}"
        )
    total = sum(state.memory_bytes for state in services)
    typer.echo(f"{'together':<11} {'':<6} {'':>7} {'':>10} {total / MEGABYTE:.0f} MB")
