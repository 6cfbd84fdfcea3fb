"""Days as Dagster's partitions: added when they have become whole, in the order of time, for a run's range is one in it."""

from collections.abc import Hashable, Iterator

import dagster as dg

from assets.graph import days_of
from everfit.declaration import Model
from everfit.deployment import Deployment

Request = dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest

_complete: dict[tuple[str, str], Hashable] = {}  # by database and model: what was there when Dagster held every day of it


def new_days(instance: dg.DagsterInstance, deployment: Deployment) -> Iterator[Request]:
    """The days that Dagster does not hold yet. Two looks at the store for all models; more only where something moved."""
    from everfit.store import judgements, source_days
    from everfit.workflow.chunks import keep_order
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
        held = days.get_partition_keys(dynamic_partitions_store=instance)
        change = keep_order(held, available_days(deployment, model))
        if change.remove:
            yield days.build_delete_request(change.remove)
        if change.add:
            yield days.build_add_request(change.add)
        else:
            _complete[key] = there


def add_new_days(instance: dg.DagsterInstance, deployment: Deployment, model: Model) -> list[str]:
    """The same for one model at once; returns all its days."""
    from everfit.workflow.chunks import keep_order
    from everfit.workflow.days import available_days

    name = str(days_of(model).name)
    change = keep_order(instance.get_dynamic_partitions(name), available_days(deployment, model))
    for day in change.remove:
        instance.delete_dynamic_partition(name, day)
    if change.add:
        instance.add_dynamic_partitions(name, change.add)
    return list(instance.get_dynamic_partitions(name))
