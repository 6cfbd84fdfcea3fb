"""Days as Dagster's partitions, added when complete and in the order of time, as a run's range is a range of this order."""

from collections.abc import Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from assets.graph import days_of
from everfit.declaration import Model
from everfit.runtime import Runtime

if TYPE_CHECKING:
    from everfit.pipeline.backfill_plan import Reordered
    from everfit.store.isolation import Isolation

Request = dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest

_complete: dict[tuple[str, str], Hashable] = {}  # by database and model: the landed days when Dagster had all of them


def new_days(instance: dg.DagsterInstance, runtime: Runtime, isolation: "Isolation") -> Iterator[Request]:
    """Requests to add the days that Dagster lacks. Two queries for all models; more only where something changed."""
    from everfit.pipeline.horizon import horizon_at
    from everfit.store import model_clocks, source_days
    from everfit.store.failures import Part

    models = runtime.models.values()
    with runtime.engine.connect() as connection:
        clocks = model_clocks.read_all(connection, models)
        marks = source_days.marks(connection)
    for model in models:
        key = (str(runtime.engine.url), model.name)
        until = horizon_at(model, clocks.get(model.name))
        there = (until, *(marks.get(source.name) for source in model.sources))
        if _complete.get(key) == there:
            continue
        change = isolation.attempt(Part(model.name, "days"), partial(_change, instance, runtime, model))
        if change is None:
            continue
        if change.remove:
            yield days_of(model).build_delete_request(change.remove)
        if change.add:
            yield days_of(model).build_add_request(change.add)
        else:
            _complete[key] = there


def _change(instance: dg.DagsterInstance, runtime: Runtime, model: Model) -> "Reordered":
    """The change that brings Dagster's list of a model's days up to date with the landed days."""
    from everfit.pipeline.backfill_plan import reorder
    from everfit.pipeline.daily_partitions import available_days

    partitions = days_of(model).get_partition_keys(dynamic_partitions_store=instance)
    return reorder(partitions, available_days(runtime, model))


def add_new_days(instance: dg.DagsterInstance, runtime: Runtime, model: Model) -> list[str]:
    """Add the missing days of a model now; returns all its days."""
    from everfit.pipeline.backfill_plan import reorder
    from everfit.pipeline.daily_partitions import available_days

    name = str(days_of(model).name)
    change = reorder(instance.get_dynamic_partitions(name), available_days(runtime, model))
    for day in change.remove:
        instance.delete_dynamic_partition(name, day)
    if change.add:
        instance.add_dynamic_partitions(name, change.add)
    return list(instance.get_dynamic_partitions(name))
