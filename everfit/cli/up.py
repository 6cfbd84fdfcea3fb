"""``everfit up``."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from everfit.environment.settings import given_to_stack, home_folder
from everfit.environment.variables import masked, require_sound

NAMES = {
    "dagster": "Dagster",
    "mlflow": "MLflow",
    "serving": "serving",
    "kafka": "broker",
    "database_url": "Postgres",
    "lake": "lake",
}


def up(
    broker: Annotated[
        Literal["embedded", "kafka"] | None,
        typer.Option(help="The broker from the wheel, or Apache Kafka from KAFKA_HOME; the choice is kept for later runs."),
    ] = None,
) -> None:
    """Start Postgres, the broker, MLflow, Dagster and serving, where they do not run, and print their addresses.

    A part whose address the environment sets is used by all, and not started. Rows recorded from before a model went live
    land at once, so that its assets can be materialized. Views whose declaration changed are built from the landed rows.
    """
    from rich.console import Console

    from everfit.declaration.discovery import load_models
    from everfit.stack.supervisor import Stack

    require_sound(os.environ)
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    steps: dict[str, str] = {}
    with console.status("starting") as spinner:

        def on_step(name: str, step: str) -> None:
            steps[name] = step
            if step == "started":
                console.print(f"{name:<11} up after {time.monotonic() - began:.1f} s")
            spinner.update("starting " + ", ".join(name for name, step in steps.copy().items() if step == "starting"))

        home = home_folder()
        for module, why in load_models().broken.items():  # before anything is started; where all are broken, this is refused
            console.print(f"{module} is set aside: {why}", style="red")
        addresses = Stack(home, Path.cwd(), announce=console.print, on_step=on_step, broker=broker).up()
        spinner.update("landing recorded rows")
        for line in [*_land(), *_build_views(spinner.update)]:
            console.print(line)
    kept = all(step == "kept" for step in steps.values())
    console.print("everfit is already up" if kept else f"everfit is up after {time.monotonic() - began:.1f} s")
    given = given_to_stack(home)
    for name, label in NAMES.items():
        console.print(f"  {label:<9} {masked(addresses[name])}{'  (given)' if name in given else ''}")
    console.print(f"  state     {home}")


def _build_views(progress: Callable[[str], None]) -> list[str]:
    """Build the views whose declaration changed since rows landed; a line for each that cannot be built."""
    from everfit.runtime import Runtime
    from everfit.store.view_builds import build

    with Runtime.load() as runtime:
        failed = build(
            runtime.engine,
            runtime.models,
            wait=True,
            report=lambda view: progress(f"building view {view.name[0]}: {view.share:.0%}"),
        )
    return [f"view {view.name[0]} cannot be built, and is missing in answers: {view.problem}" for view in failed]


def _land() -> list[str]:
    """Publish the rows recorded from before each model went live; a line for each model with rows or a problem."""
    from everfit.replay.bootstrap import bootstrap_all
    from everfit.runtime import Runtime

    with Runtime.load() as runtime:
        landed = dict(bootstrap_all(runtime))
    return [
        f"{name}: {rows:,} rows from before it went live have landed"
        if isinstance(rows, int)
        else f"{name}: set aside, nothing of its record has landed: {rows}"
        for name, rows in landed.items()
        if rows
    ]
