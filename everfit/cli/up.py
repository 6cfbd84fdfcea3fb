"""``everfit up``."""

import time
from pathlib import Path

from everfit.settings import home_folder

NAMES = {
    "dagster": "Dagster",
    "mlflow": "MLflow",
    "serving": "serving",
    "kafka": "broker",
    "database_url": "Postgres",
    "lake": "lake",
}


def up() -> None:
    """Start what is not up: Postgres, broker, MLflow, Dagster and serving. Prints where they answer."""
    from rich.console import Console

    from everfit.embedded.stack import Stack

    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    steps: dict[str, str] = {}
    with console.status("starting") as spinner:

        def heard(name: str, step: str) -> None:
            steps[name] = step
            if step == "started":
                console.print(f"{name:<9} up after {time.monotonic() - began:.1f} s")
            spinner.update("starting " + ", ".join(name for name, step in steps.items() if step == "starting"))

        home = home_folder()
        told = Stack(home, Path.cwd(), say=console.print, heard=heard).up()
    kept = all(step == "kept" for step in steps.values())
    console.print("everfit is already up" if kept else f"everfit is up after {time.monotonic() - began:.1f} s")
    for name, label in NAMES.items():
        console.print(f"  {label:<9} {told[name]}")
    console.print(f"  state     {home}")
