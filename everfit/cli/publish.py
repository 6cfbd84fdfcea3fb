"""``everfit publish``: rows of a source from a file, or from where else an installed reader reads them."""

from typing import Annotated

import typer

from everfit.cli.output import print_json


def publish(
    source: Annotated[str, typer.Argument(help="A source that a model declares.")],
    location: Annotated[
        str,
        typer.Argument(
            help="A file with its columns: .csv, .csv.gz, .parquet, .jsonl or .ndjson; or what an installed reader takes."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Publish rows: all of them land and serving reads them, or, where one does not fit, none.

    Rows that have landed before change nothing; a row with the identity of one that has landed corrects it.
    """
    from everfit.runtime import Runtime
    from everfit.sources.publication import publish_from

    with Runtime.load() as runtime:
        published = publish_from(runtime.engine, runtime.models, source, location)
    if as_json:
        print_json({"source": source, "rows": published.rows, "changed": published.changed})
    else:
        typer.echo(f"{source}: {published.rows} rows published, {published.changed} of them new or corrected")
