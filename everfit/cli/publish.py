"""``everfit publish``: rows of a source from a file."""

from pathlib import Path
from typing import Annotated

import typer

from everfit.cli.output import print_json


def publish(
    source: Annotated[str, typer.Argument(help="A source that a model declares.")],
    file: Annotated[Path, typer.Argument(help="Its rows, one column each: .csv, .csv.gz, .parquet, .jsonl or .ndjson.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON document.")] = False,
) -> None:
    """Publish rows: all of them land and serving reads them, or, where one does not fit, none.

    Rows that have landed before change nothing; a row with the identity of one that has landed corrects it.
    """
    from everfit.declaration.discovery import find_source
    from everfit.runtime import Runtime
    from everfit.sources.files import read_rows
    from everfit.sources.publication import publish as publish_rows

    with Runtime.load() as runtime:
        rows = read_rows(find_source(runtime.models, source), file)
        changed = publish_rows(runtime.engine, runtime.models, source, rows)
    if as_json:
        print_json({"source": source, "rows": len(rows), "changed": changed})
    else:
        typer.echo(f"{source}: {len(rows)} rows published, {changed} of them new or corrected")
