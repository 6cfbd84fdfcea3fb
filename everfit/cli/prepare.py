"""``everfit prepare``."""

from typing import Annotated

import typer


def prepare(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of each topic that is created.")] = 3,
) -> None:
    """Prepare the servers that the environment names: Postgres' schema, Kafka's topics, recorded rows and views.

    `everfit up` does this for the embedded stack. Running it again changes nothing. A model that cannot be used is reported,
    and the others are prepared.
    """

    from everfit.declaration.discovery import broken_modules
    from everfit.replay.bootstrap import bootstrap_all
    from everfit.runtime import Runtime
    from everfit.store.ownership import prepare_schema
    from everfit.store.view_builds import build
    from everfit.topics.admin import create_topics

    with Runtime.load() as runtime:
        prepare_schema(runtime.engine)
        typer.echo("the schema is up to date")
        create_topics(runtime.settings.kafka, partitions=partitions)
        typer.echo("the topics are there")
        for module, why in broken_modules(runtime.models).items():
            typer.echo(f"{module} is set aside: {why}", err=True)
        for name, landed in bootstrap_all(runtime):
            if isinstance(landed, int):
                typer.echo(f"{name}: {landed:,} rows from before it went live have landed")
            else:
                typer.echo(f"{name}: set aside, nothing of its record has landed: {landed}", err=True)
        for view in build(runtime.engine, runtime.models, wait=True):
            typer.echo(f"view {view.name[0]} cannot be built, and is missing in answers: {view.problem}")
