"""``everfit init``: a first declaration from a table."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    file: Annotated[Path, typer.Option("--from", help="The table: .csv, .csv.gz or .parquet.")],
    folder: Annotated[Path, typer.Argument(help="Where to write; made where it is not there.")] = Path(),
    label: Annotated[str | None, typer.Option(help="The column to predict, where another was taken for it.")] = None,
    time: Annotated[str | None, typer.Option(help="The column with the time of a row.")] = None,
    entity: Annotated[str | None, typer.Option(help="The column that names what a row is about.")] = None,
) -> None:
    """Draft a declaration from a table. It runs as it is; DECIDE stands in it wherever a person knows better.

    The table is copied beside it. What is there already is never changed.
    """
    from everfit.drafting.project import draft_project

    project = draft_project(folder, file, {"label": label, "time": time, "entity": entity})
    for remark in project.remarks:
        typer.echo(remark)
    typer.echo(f"\nwritten: {project.file}; decide what is marked with DECIDE, and go on:\n")
    if folder != Path():
        typer.echo(f"  cd {folder}")
    typer.echo(f"  export EVERFIT_MODELS={project.package}")
    typer.echo(f"  everfit check {project.model}\n  everfit up\n  everfit train {project.model}")
