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

    from everfit.catalogue import broken_modules
    from everfit.deployment import Deployment
    from everfit.embedded.broker import create_topics
    from everfit.replay.landing import bootstrap_all
    from everfit.store.building import build
    from everfit.store.database import migrate

    deployment = Deployment.load()
    try:
        migrate(deployment.engine)
        print("the schema is up to date")
        create_topics(deployment.settings.kafka, partitions=partitions)
        print("the topics are there")
        for module, why in broken_modules(deployment.models).items():
            print(f"{module} is set aside: {why}", file=sys.stderr)
        for name, landed in bootstrap_all(deployment):
            if isinstance(landed, int):
                print(f"{name}: {landed:,} rows from before it went live have landed")
            else:
                print(f"{name}: set aside, nothing of its record has landed: {landed}", file=sys.stderr)
        for view in build(deployment.engine, deployment.models, wait=True):
            print(f"view {view.name[0]} cannot be built, and is missing in answers: {view.problem}")
    finally:
        deployment.close()
