"""Daily assets: the landed rows, and the features of the day's events."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.candidates import REQUEST_TAG
from assets.pages import columns, declared_in, feature_notes, raw_columns
from assets.provenance import Result, log_events, materialization_of, materialized, provenance, report_observed
from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID
from everfit.pipeline.code_versions import LOOK_BACK, stage_version
from everfit.runtime import Runtime

if TYPE_CHECKING:
    from everfit.pipeline.day_summary import DaySummary
    from everfit.pipeline.lineage import Lineage


def raw_data(model: Model, days: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Landed rows, cut by event date."""
    sources = [source.name for source in model.sources]

    @dg.asset(
        key=[model.name, "raw_data"],
        description=f"Rows of {', '.join(sources)} as they landed: one Parquet object per source and day.",
        group_name=model.name,
        owners=model.owners,
        kinds={"postgres", "parquet"},
        code_version=stage_version(model, "raw_data"),
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.multi_run(model.backfill.days_per_run),
        deps=[[model.name, source] for source in sources],
        metadata=raw_columns(model) | declared_in(model),
    )
    def raw_data(context: dg.AssetExecutionContext, everfit: dg.ResourceParam[Runtime]) -> Iterator[Result]:
        from everfit.pipeline.daily_partitions import land_days
        from everfit.pipeline.day_isolation import make_isolated
        from everfit.pipeline.lineage import Lineage

        days, lineage = context.partition_keys, Lineage.on_record(everfit, model)
        report_observed(partial(log_events, context), everfit, model, days, lineage)
        lots = make_isolated(everfit, model, "raw_data", days, partial(land_days, everfit, model))
        made = [day for lot in lots for day in lot]
        yield from materialized(context, made, provenance(context.instance, model, "raw_data", sources), _metadata)
        report_observed(partial(log_events, context), everfit, model, days, lineage.after_cut(everfit))

    return raw_data


def features(model: Model, days: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The features of a day's events."""
    inputs = ["raw_data", LOOK_BACK, "predictions"]
    raw_key, sources = dg.AssetKey([model.name, "raw_data"]), [source.name for source in model.sources]

    @dg.asset(
        key=[model.name, "features"],
        description="One row per event of the day (a labelled row before the go-live, a request afterwards), with every "
        "feature as it was known at the event's own time.",
        group_name=model.name,
        owners=model.owners,
        kinds={"polars", "parquet"},
        code_version=stage_version(model, "features"),
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.multi_run(model.backfill.days_per_run),
        deps=[[model.name, name] for name in inputs],
        metadata=columns([(REQUEST_ID, "category"), (EVENT_TIME, "time"), *model.features], feature_notes(model))
        | declared_in(model),
    )
    def features(context: dg.AssetExecutionContext, everfit: dg.ResourceParam[Runtime]) -> Iterator[Result]:
        from everfit.pipeline.daily_partitions import compute_days
        from everfit.pipeline.day_isolation import make_isolated

        lineage, needed = _needed(context, everfit, model)
        days = sorted({*context.partition_keys, *needed})
        lots = make_isolated(everfit, model, "features", days, partial(compute_days, everfit, model, lineage=lineage))
        made, cut = [day for lot in lots for day in lot.days], [day for lot in lots for day in lot.cut]
        # Also where another run cut what these days look back on, but has not reported it: reported later, it would seem newer.
        report_observed(partial(log_events, context), everfit, model, [day.day for day in cut], lots[-1].lineage)
        if cut:
            tags = provenance(context.instance, model, "raw_data", sources)
            log_events(context, [materialization_of(raw_key, day, tags, _metadata(day)) for day in cut])
        tags, own = provenance(context.instance, model, "features", inputs), set(context.partition_keys)
        yield from materialized(context, [day for day in made if day.day in own], tags, _metadata)
        log_events(
            context, [materialization_of(context.asset_key, day, tags, _metadata(day)) for day in made if day.day not in own]
        )

    return features


def _needed(context: dg.AssetExecutionContext, everfit: Runtime, model: Model) -> "tuple[Lineage | None, list[str]]":
    """The days that the training of a requested run needs, whatever was on record when it was launched, by this lineage."""
    from everfit.pipeline.lineage import Lineage, stale_days
    from everfit.pipeline.training_set import request_of

    request = request_of(everfit, context.run.tags.get(REQUEST_TAG))
    if request is None:
        return None, []
    lineage = Lineage.up_to_date(everfit, model)
    return lineage, stale_days(everfit, model, before=request.cutoff, lineage=lineage)


def _metadata(day: "DaySummary") -> dict[str, Any]:
    return {"dagster/partition_row_count": day.rows, "null share": day.null_share, "data version": day.data_version}
