"""Days as Dagster's partitions: added when they have become whole."""

from collections.abc import Hashable, Iterator

import dagster as dg

from assets.graph import days_of
from everfit.deployment import Deployment

_complete: dict[tuple[str, str], Hashable] = {}  # by database and model: what was there when Dagster held every day of it


def new_days(instance: dg.DagsterInstance, deployment: Deployment) -> Iterator[dg.AddDynamicPartitionsRequest]:
    """The days that Dagster does not hold yet. Two looks at the store for all models; more only where something moved."""
    from everfit.store import judgements, source_days
    from everfit.workflow.days import available_days

    models = deployment.models.values()
    with deployment.engine.connect() as connection:
        clocks = judgements.read_clocks(connection, models)
        marks = source_days.marks(connection)
    for model in models:
        key = (str(deployment.engine.url), model.name)
        until = max(clocks.get(model.name, model.go_live), model.go_live).date()
        there = (until, *(marks.get(source.name) for source in model.sources))
        if _complete.get(key) == there:
            continue
        days = days_of(model)
        held = set(days.get_partition_keys(dynamic_partitions_store=instance))
        new = [day for day in available_days(deployment, model) if day not in held]
        if new:
            yield days.build_add_request(new)
        else:
            _complete[key] = there
