"""``everfit doctor``."""

from dataclasses import asdict
from typing import Annotated

import typer

from everfit.cli.output import print_json
from everfit.environment.settings import home_folder


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Check the installation and print what to do about each problem; exit code 1 if there is one."""
    from everfit.doctor.examination import examine

    checks = examine(home_folder())
    healthy = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": healthy, "checks": [{**asdict(check), "ok": check.ok} for check in checks]})
    else:
        for check in checks:
            typer.echo(
                f"{'ok   ' if check.ok else 'WRONG'} {check.name}: {check.found}" + (f" → {check.todo}" if check.todo else "")
            )
    if not healthy:
        raise typer.Exit(1)
