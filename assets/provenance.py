"""Data versions in Dagster: what each day was made from, and observations of assets that Dagster does not make.

Dagster gives all days of a range run the same data version. So each day gets a materialization of its own, with the tags that
Dagster reads staleness from (https://docs.dagster.io/guides/build/assets/asset-versioning-and-caching). A run with the tag
:data:`DEFERRED` leaves all materializations to its assets; without it Dagster adds its own first, so that a day has two.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import uuid4

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata

from everfit.declaration import Model
from everfit.pipeline.code_versions import Stage, stage_version
from everfit.runtime import Runtime

if TYPE_CHECKING:
    from everfit.pipeline.lineage import Lineage

DATA_VERSION = "dagster/data_version"
DEFERRED = "dagster/defer_asset_events"
Tags = Mapping[str, str]
Event = dg.AssetMaterialization | dg.AssetObservation
Result = dg.MaterializeResult[Any]


class Made(Protocol):
    """A day that was made, and the version of its content."""

    @property
    def day(self) -> str:
        """As 1996-09-04."""

    @property
    def data_version(self) -> str:
        """Changes with the content."""


Day = TypeVar("Day", bound=Made)


def provenance(instance: dg.DagsterInstance, model: Model, stage: Stage, inputs: Sequence[str]) -> dict[str, str]:
    """The tags of a stage that is made now: its code version, and the newest events of its inputs."""
    tags = {"dagster/code_version": stage_version(model, stage), f"{DATA_VERSION}_is_user_provided": "true"}
    for name in inputs:
        key = dg.AssetKey([model.name, name])
        record = _newest(instance, key)
        version = record.asset_observation or record.asset_materialization if record else None
        observed = (version.tags or {}).get(DATA_VERSION) if version else None
        tags[f"dagster/input_data_version/{key.to_user_string()}"] = observed or "INITIAL"
        tags[f"dagster/input_event_pointer/{key.to_user_string()}"] = str(record.storage_id) if record else "NULL"
    return tags


def materialized(
    context: dg.AssetExecutionContext, made: Sequence[Day], tags: Tags, metadata: Callable[[Day], Any]
) -> Iterator[Result]:
    """The days made by a run as materializations, each with the data version of its own content."""
    if made and len(context.partition_keys) == 1 and context.run.tags.get(DEFERRED) != "true":
        version = dg.DataVersion(made[0].data_version)
        yield dg.MaterializeResult(metadata=metadata(made[0]), data_version=version, tags=tags)
        return
    together = hashlib.sha256("".join(day.data_version for day in made).encode()).hexdigest()
    yield dg.MaterializeResult(data_version=dg.DataVersion(together), tags=tags)
    log_events(context, [materialization_of(context.asset_key, day, tags, metadata(day)) for day in made])


def materialization_of(key: dg.AssetKey, day: Made, tags: Tags, metadata: Any) -> dg.AssetMaterialization:
    """The materialization of a single day."""
    versioned = {**tags, DATA_VERSION: day.data_version}
    return dg.AssetMaterialization(key, partition=day.day, metadata=metadata, tags=versioned)


def log_events(context: dg.AssetExecutionContext, events: Iterable[Event]) -> None:
    """Log events of a step; consecutive events of an asset are one statement where ``DAGSTER_EVENT_BATCH_SIZE`` is set."""
    step = context.get_step_execution_context()
    for (kind, _), several in groupby(events, key=lambda event: (type(event), event.asset_key)):
        log: Any = DagsterEvent.asset_materialization if kind is dg.AssetMaterialization else DagsterEvent.asset_observation
        batch, together = str(uuid4()), list(several)
        for number, event in enumerate(together, start=1):
            log(step, event, DagsterEventBatchMetadata(batch, number == len(together)))


def report(instance: dg.DagsterInstance, events: Iterable[Event]) -> None:
    """Log events without a run."""
    for event in events:
        instance.report_runless_asset_event(event)


def report_observed(
    log_events: Callable[[list[dg.AssetObservation]], Any],
    runtime: Runtime,
    model: Model,
    days: Sequence[str] | None = None,
    lineage: "Lineage | None" = None,
) -> int:
    """Report to Dagster the data versions of source days, and of what days look back on, that changed since the last report.

    ``lineage`` is the recorded one, where the caller has it, as reading it is most of the work. Versions are marked as reported
    afterwards: a repeated report is harmless, a missing one is not. Returns the number of reported versions.
    """
    from everfit.pipeline.data_versions import mark_reported, unreported

    observed = unreported(runtime, model, days, lineage)
    log_events(
        [
            dg.AssetObservation(
                asset_key=[model.name, observation.asset],
                partition=observation.day,
                metadata={observation.what: observation.value},
                tags={DATA_VERSION: observation.version},
            )
            for observation in observed
        ]
    )
    mark_reported(runtime, model, observed)
    return len(observed)


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> dg.EventLogRecord | None:
    records = instance.fetch_materializations(key, limit=1).records or instance.fetch_observations(key, limit=1).records
    return records[0] if records else None
