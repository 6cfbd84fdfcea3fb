"""Data versions as Dagster keeps them: what each day was made from, and what was seen of assets that Dagster does not make.

Dagster gives all days of a range run one data version. Each day's own is told by a materialization of its own, with the tags
that Dagster reads staleness from (https://docs.dagster.io/guides/build/assets/asset-versioning-and-caching). A run with the tag
:data:`DEFERRED` leaves all materializations to its assets; without it Dagster's own come first, and a range has two a day.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from everfit.declaration import Model
from everfit.deployment import Deployment
from everfit.workflow.versions import Stage, stage_version

if TYPE_CHECKING:
    from everfit.workflow.days import DayMade

DATA_VERSION = "dagster/data_version"
DEFERRED = "dagster/defer_asset_events"
Tags = Mapping[str, str]
Told = dg.MaterializeResult[Any] | dg.AssetMaterialization


def provenance(instance: dg.DagsterInstance, model: Model, stage: Stage, inputs: Sequence[str]) -> dict[str, str]:
    """By what code, and from which newest events of its inputs, a stage is made now."""
    tags = {"dagster/code_version": stage_version(model, stage), f"{DATA_VERSION}_is_user_provided": "true"}
    for name in inputs:
        key = dg.AssetKey([model.name, name])
        record = _newest(instance, key)
        version = record.asset_observation or record.asset_materialization if record else None
        seen = (version.tags or {}).get(DATA_VERSION) if version else None
        tags[f"dagster/input_data_version/{key.to_user_string()}"] = seen or "INITIAL"
        tags[f"dagster/input_event_pointer/{key.to_user_string()}"] = str(record.storage_id) if record else "NULL"
    return tags


def materialized(
    context: dg.AssetExecutionContext, made: "Sequence[DayMade]", tags: Tags, metadata: Callable[["DayMade"], Any]
) -> Iterator[Told]:
    """The days of a run as materializations, each with the data version of its own content."""
    if len(made) == 1 and context.run.tags.get(DEFERRED) != "true":
        version = dg.DataVersion(made[0].data_version)
        yield dg.MaterializeResult(metadata=metadata(made[0]), data_version=version, tags=tags)
        return
    together = hashlib.sha256("".join(day.data_version for day in made).encode()).hexdigest()
    yield dg.MaterializeResult(data_version=dg.DataVersion(together), tags=tags)
    for day in made:
        yield one_day(context.asset_key, day, tags, metadata(day))


def one_day(key: dg.AssetKey, day: "DayMade", tags: Tags, metadata: Any) -> dg.AssetMaterialization:
    """One day's own materialization."""
    versioned = {**tags, DATA_VERSION: day.data_version}
    return dg.AssetMaterialization(key, partition=day.day, metadata=metadata, tags=versioned)


def observe(
    tell: Callable[[dg.AssetObservation], Any], deployment: Deployment, model: Model, days: Sequence[str] | None = None
) -> int:
    """Tell Dagster the data versions of source days and of what days look back on, where they differ from what it was told.

    They are noted after they were told: told twice is harmless, never told is not. Returns how many were told.
    """
    from everfit.workflow.observing import note, untold

    seen = untold(deployment, model, days)
    for one in seen:
        key = dg.AssetKey([model.name, one.asset])
        tags = {DATA_VERSION: one.version}
        tell(dg.AssetObservation(asset_key=key, partition=one.day, metadata={one.what: one.told}, tags=tags))
    note(deployment, model, seen)
    return len(seen)


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> dg.EventLogRecord | None:
    found = instance.fetch_materializations(key, limit=1).records or instance.fetch_observations(key, limit=1).records
    return found[0] if found else None
