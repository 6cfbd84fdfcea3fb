"""Unpartitioned assets: the training set, the fitted candidates, and the gate's verdict."""

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.evaluation_tables import comparison_record, findings, rule_records
from assets.launch_config import Cutoff, Fit, chosen_candidates, chosen_cutoff
from assets.pages import columns, declared_in, feature_notes, feature_table, label_note, markdown, readable
from assets.pools import TRAINING, training_of
from everfit.declaration import Model
from everfit.declaration.reserved_columns import LABEL, OBSERVED_AT
from everfit.pipeline.code_versions import stage_version
from everfit.runtime import Runtime
from everfit.timing import format_time

if TYPE_CHECKING:
    from everfit.pipeline.trackers import Trackers

REQUEST_TAG = "everfit/request"
Metadata = dict[str, Any]


def training_set(model: Model) -> dg.AssetsDefinition:
    """Labelled rows known by the cutoff."""

    @dg.asset(
        key=[model.name, "training_set"],
        code_version=stage_version(model, "training_set"),
        group_name=model.name,
        owners=model.owners,
        kinds={"polars", "parquet"},
        description="Every event whose label was known by the cutoff, with its features as of the event; split by time only.",
        deps=[[model.name, "features"], [model.name, "outcomes"]],
        pool=training_of(model),
        metadata=columns(
            [*model.features, (LABEL, model.task.label_kind), (OBSERVED_AT, "time")], feature_notes(model) | label_note(model)
        )
        | declared_in(model),
    )
    def training_set(
        context: dg.AssetExecutionContext, config: Cutoff, everfit: dg.ResourceParam[Runtime]
    ) -> dg.MaterializeResult[Any]:
        from everfit.pipeline import manifests, training_set

        request = training_set.request_of(everfit, context.run.tags.get(REQUEST_TAG))
        cutoff = chosen_cutoff(config, training_set.default_cutoff(everfit, model, request))
        made = training_set.assemble(everfit, model, cutoff=cutoff, request=request)
        digest = manifests.put(everfit, model, "training_set", made, made.rows)
        metadata: Metadata = {
            "dagster/row_count": made.rows,
            "cutoff": format_time(made.cutoff),
            "cause": made.cause,
            "reason": made.reason,
            **{name: readable(value) for name, value in model.task.baseline_figures(made.baseline).items()},
            "days": len(made.days),
            "rows left out, whose label is none of the task's": made.unusable,
            **({"why they are left out": made.unusable_because} if made.unusable else {}),
            "features": feature_table(everfit.models, model, everfit.lake.get_frame(made.rows_hash)),
            "rows, in the lake": dg.MetadataValue.path(str(everfit.lake.path(made.rows_hash, "parquet"))),
        }
        return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(digest))

    return training_set


def trained_model(model: Model) -> dg.AssetsDefinition:
    """All candidates, fitted."""

    @dg.asset(
        key=[model.name, "trained_model"],
        code_version=stage_version(model, "trained_model"),
        group_name=model.name,
        owners=model.owners,
        kinds={"scikitlearn", "pytorch", "onnx"},
        description="Each candidate, fitted on rolling origins over the days that the champion has not seen and on everything "
        "up to the cutoff, exported, and its answers compared with those before the export.",
        deps=[[model.name, "training_set"]],
        pool=TRAINING,
        metadata=declared_in(model),
    )
    def trained_model(
        context: dg.AssetExecutionContext, config: Fit, everfit: dg.ResourceParam[Runtime], tracking: dg.ResourceParam[Any]
    ) -> dg.MaterializeResult[Any]:
        from everfit.pipeline import manifests, training, training_record, unfinished_training
        from everfit.pipeline.manifests import TrainingSet
        from everfit.pipeline.native_versions import not_portable

        began = time.monotonic()
        given, version = manifests.of(everfit, model, TrainingSet, made_here(context, model, "training_set"))
        chosen = chosen_candidates(config, model)
        training_record.begin(tracking, everfit, chosen, given)
        made = training.train(everfit, chosen, given, version, tracking, partial(_observe, context))
        digest = manifests.put(everfit, model, "trained_model", made, given.rows)
        unfinished_training.forget(everfit.lake, chosen, given, made.champion)
        drawing = training_record.finish(tracking, everfit, model, made)
        metadata: Metadata = {
            "training seconds": readable(time.monotonic() - began),
            "dagster/row_count": given.rows,
        } | tracked_at(tracking)
        for candidate in made.candidates:
            values = candidate.metrics | {"training seconds": candidate.seconds, "ms an answer": candidate.latency_ms}
            metadata |= {f"{candidate.name} {name}": readable(value) for name, value in values.items()}
            if candidate.signature and (told := not_portable(candidate.signature)):
                metadata[f"{candidate.name}, how it is kept"] = told
            if said := manifests.found(candidate):
                metadata[f"{candidate.name}, found"] = said
        metadata |= training_record.left_out(made)
        metadata["calibration on the rolling origins"] = markdown("calibration", drawing)
        return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(digest))

    return trained_model


def evaluation(model: Model) -> dg.AssetsDefinition:
    """The gate's verdict."""

    @dg.asset(
        key=[model.name, "evaluation"],
        code_version=stage_version(model, "evaluation"),
        group_name=model.name,
        owners=model.owners,
        kinds={"polars"},
        description="Each candidate's recipe against the champion, pair by pair on days that neither was trained on, and "
        "every rule that it is held to.",
        deps=[[model.name, "trained_model"]],
        pool=training_of(model),
        metadata=declared_in(model),
    )
    def evaluation(
        context: dg.AssetExecutionContext, everfit: dg.ResourceParam[Runtime], tracking: dg.ResourceParam[Any]
    ) -> dg.MaterializeResult[Any]:
        from everfit.pipeline import evaluation, manifests, training_record
        from everfit.pipeline.manifests import TrainedModel

        trained, version = manifests.of(everfit, model, TrainedModel, made_here(context, model, "trained_model"))
        made = evaluation.evaluate(everfit, model, trained, version)
        digest = manifests.put(everfit, model, "evaluation", made, sum(compared.rows for compared in made.compared))
        drawing = training_record.judged(tracking, model, made)
        training_record.keep_rejected(tracking, everfit.lake, trained, made)
        table = [comparison_record(model.metric, compared) for compared in made.compared]
        metadata: Metadata = {
            "reason": made.reason,
            "metric": model.metric.title,
            "winner": made.winner or "none",
            "compared with": f"champion, version {made.champion}" if made.champion else "nothing: there is no champion yet",
            "comparison": dg.MetadataValue.table(table),
            "rules": dg.MetadataValue.table(rule_records(made)),
            "findings": dg.MetadataValue.md(findings(made)),
        } | training_record.left_out(trained)
        if drawing:
            metadata[f"mean daily difference of the {model.metric.title} from the champion's"] = markdown("intervals", drawing)
        return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(digest))

    return evaluation


def _observe(context: dg.AssetExecutionContext, progress: Mapping[str, str]) -> None:
    """Show on the page of the asset, and in the run's log, how far it is while it is made."""
    context.log_event(dg.AssetObservation(asset_key=context.asset_key, metadata=dict(progress)))


def tracked_at(tracking: "Trackers") -> Metadata:
    """Links to what is tracked: the page of each tracker that has one."""
    shown = {"mlflow": "MLflow run"}
    return {shown.get(name, f"{name} run"): dg.MetadataValue.url(page) for name, page in tracking.pages().items()}


def made_here(context: dg.AssetExecutionContext, model: Model, stage: str) -> str | None:
    """The data version of a stage that this run, or the run it repeats, has made; None where neither did."""
    key = dg.AssetKey([model.name, stage])
    for run in filter(None, [context.run.run_id, context.run.parent_run_id]):
        for record in reversed(context.instance.all_logs(run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)):
            event = record.get_dagster_event().step_materialization_data.materialization
            if event.asset_key == key:
                return (event.tags or {}).get("dagster/data_version")
    return None
