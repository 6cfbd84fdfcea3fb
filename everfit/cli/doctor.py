"""``everfit doctor``."""

from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json
from everfit.environment.settings import home_folder

if TYPE_CHECKING:
    from everfit.doctor.connections import Check


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Check the installation and print what to do about each problem; exit code 1 if there is one."""
    from everfit.doctor.examination import examine

    checks = examine(home_folder())
    healthy = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": healthy, "checks": [_document(check) for check in checks]})
    else:
        for check in checks:
            typer.echo(
                f"{'ok   ' if check.ok else 'WRONG'} {check.name}: {check.message}" + (f" → {check.todo}" if check.todo else "")
            )
    if not healthy:
        raise typer.Exit(1)


def _document(check: "Check") -> dict[str, str | bool]:
    return {"name": check.name, "found": check.message, "todo": check.todo, "ok": check.ok}
