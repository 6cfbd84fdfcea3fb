"""``everfit publish``: rows of a source from a file."""

from pathlib import Path
from typing import Annotated

import typer


def publish(
    source: Annotated[str, typer.Argument(help="A source that a model declares.")],
    file: Annotated[Path, typer.Argument(help="Its rows, one column each: .csv, .csv.gz, .parquet, .jsonl or .ndjson.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON document.")] = False,
) -> None:
    """Publish rows: all of them land and serving reads them, or, where one does not fit, none.

    Rows that have landed before change nothing; a row with the identity of one that has landed corrects it.
    """
    import msgspec

    from everfit.catalogue import find_source
    from everfit.deployment import Deployment
    from everfit.store.files import read_rows
    from everfit.store.publishing import publish as publish_rows

    deployment = Deployment.load()
    try:
        rows = read_rows(find_source(deployment.models, source), file)
        changed = publish_rows(deployment.engine, deployment.models, source, rows)
    finally:
        deployment.close()
    if as_json:
        typer.echo(msgspec.json.encode({"source": source, "rows": len(rows), "changed": changed}).decode())
    else:
        typer.echo(f"{source}: {len(rows)} rows published, {changed} of them new or corrected")
