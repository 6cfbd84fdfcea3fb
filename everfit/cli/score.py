"""``everfit score``: a table of requests answered by a version, without a client."""

from pathlib import Path
from typing import Annotated

import typer

from everfit.cli.output import print_json


def score(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    file: Annotated[str, typer.Argument(help="A table of requests: .parquet, .csv or .csv.gz.")],
    version: Annotated[int | None, typer.Option(help="A version in place of the champion.")] = None,
    to: Annotated[Path | None, typer.Option(help="The Parquet file to write; FILE with .scored.parquet otherwise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON document.")] = False,
) -> None:
    """Answer every row of a table as serving would have at its event time (now where it has none), and write Parquet.

    Nothing goes to the prediction log. A row that cannot be answered is told in the column _problem, and the others have their
    answers all the same; exit code 1 says that there is such a row.
    """
    from everfit.declaration.discovery import find_model
    from everfit.runtime import Runtime
    from everfit.serving.batch_scoring import PROBLEM, score_table
    from everfit.serving.request_table import read_table
    from everfit.store.database import reachable

    target = to or Path(file.removesuffix(".gz")).with_suffix(".scored.parquet")
    with Runtime.load() as runtime, reachable(runtime.engine):
        scored = score_table(runtime, find_model(runtime.models, model), read_table(file), version)
    written = target.with_name(f".{target.name}.part")
    scored.write_parquet(written)
    written.replace(target)
    problems = scored[PROBLEM].drop_nulls()
    if as_json:
        number = scored["_version"][0] if scored.height else version
        counts = {"rows": scored.height, "problems": len(problems), "degraded": scored["_degraded"].sum()}
        print_json({"model": model, "version": number, "file": str(target)} | counts)
    else:
        typer.echo(f"{target}: {scored.height - len(problems):,} of {scored.height:,} rows are scored")
        for row in scored[PROBLEM].is_not_null().arg_true()[:3]:
            typer.echo(f"row {row + 1}: {scored[PROBLEM][row]}", err=True)
    if len(problems):
        raise typer.Exit(1)
