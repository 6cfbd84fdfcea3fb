"""``everfit prepare``."""

from typing import Annotated

import typer


def prepare(
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic that is not there yet.")] = 3,
) -> None:
    """Make ready what the environment names: the schema in Postgres, the topics in Kafka, what is on record, and the views.

    `everfit up` does this for the embedded stack. Run again, it changes nothing. A model that cannot be used is told, and holds
    up no other.
    """
    import sys

    from everfit.declaration.discovery import broken_modules
    from everfit.replay.bootstrap import bootstrap_all
    from everfit.runtime import Runtime
    from everfit.store.database import migrate
    from everfit.store.view_builds import build
    from everfit.topics.admin import create_topics

    with Runtime.load() as runtime:
        migrate(runtime.engine)
        print("the schema is up to date")
        create_topics(runtime.settings.kafka, partitions=partitions)
        print("the topics are there")
        for module, why in broken_modules(runtime.models).items():
            print(f"{module} is set aside: {why}", file=sys.stderr)
        for name, landed in bootstrap_all(runtime):
            if isinstance(landed, int):
                print(f"{name}: {landed:,} rows from before it went live have landed")
            else:
                print(f"{name}: set aside, nothing of its record has landed: {landed}", file=sys.stderr)
        for view in build(runtime.engine, runtime.models, wait=True):
            print(f"view {view.name[0]} cannot be built, and is missing in answers: {view.problem}")
