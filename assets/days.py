"""Daily assets: what has landed, and the features of the day's events."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

from everfit.declaration import Model
from everfit.deployment import Deployment

if TYPE_CHECKING:
    from everfit.workflow.days import DayMade


def raw_data(model: Model, days: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Landed rows, cut by event date."""

    @dg.asset(
        key=[model.name, "raw_data"],
        description=f"Rows of {', '.join(s.name for s in model.sources)} as they landed: one Parquet object a source and day.",
        group_name=model.name,
        owners=model.owners,
        kinds={"postgres", "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[[model.name, source.name] for source in model.sources],
    )
    def raw_data(context: dg.AssetExecutionContext, everfit: dg.ResourceParam[Deployment]) -> None:
        from everfit.workflow.days import land_days

        _tell(context, land_days(everfit, model, context.partition_keys))

    return raw_data


def features(model: Model, days: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The features of a day's events."""
    columns = [dg.TableColumn(name, kind) for name, kind in model.features]

    @dg.asset(
        key=[model.name, "features"],
        description="One row an event of the day (a labelled row before the go-live, a request afterwards), with every feature "
        "as it was known at the event's own time.",
        group_name=model.name,
        owners=model.owners,
        kinds={"polars", "parquet"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[[model.name, "raw_data"], [model.name, "predictions"]],
        metadata={"dagster/column_schema": dg.TableSchema(columns)},
    )
    def features(context: dg.AssetExecutionContext, everfit: dg.ResourceParam[Deployment]) -> None:
        from everfit.workflow.days import compute_days

        _tell(context, compute_days(everfit, model, context.partition_keys).days)

    return features


def _tell(context: dg.AssetExecutionContext, made: "Iterable[DayMade]") -> None:
    """Rows, null share and the object's hash, on each partition."""
    for day in made:
        told = {"dagster/partition_row_count": day.rows, "null share": day.null_share, "data version": day.data_version}
        context.add_asset_metadata(told, partition_key=day.day)
