"""The champion: the version that answers. Materialized only when one is promoted."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.candidates import made_here
from assets.pages import declared_in
from assets.pools import training_of
from everfit.declaration import Model
from everfit.pipeline.code_versions import stage_version
from everfit.runtime import Runtime


def champion_key(name: str) -> dg.AssetKey:
    """The asset of a model's champion, which its checks and its events are about."""
    return dg.AssetKey([name, "champion"])


def champion(model: Model) -> dg.AssetsDefinition:
    """The registered version behind the alias ``champion``."""

    @dg.asset(
        key=champion_key(model.name),
        code_version=stage_version(model, "champion"),
        description="The registered version that serving answers with. An evaluation that no candidate passes leaves it, and "
        "is reported as an observation, not as a materialization.",
        group_name=model.name,
        owners=model.owners,
        kinds={"mlflow", "onnx"},
        deps=[[model.name, "evaluation"]],
        pool=training_of(model),
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=model.freshness.silence),
        output_required=False,
        metadata=declared_in(model),
    )
    def champion(
        context: dg.AssetExecutionContext,
        everfit: dg.ResourceParam[Runtime],
        tracking: dg.ResourceParam[Any],
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetObservation]:
        from everfit.pipeline.model_card import shown_card
        from everfit.pipeline.promotion import conclude

        pages = tracking.pages()  # a version is registered in the run that is tracked
        concluded = conclude(
            everfit, model, actor=f"dagster run {context.run.run_id}", digest=made_here(context, model, "evaluation")
        )
        context.log.info("%s; tracked by %s", concluded.reason, pages or "nothing")
        metadata = {"reason": concluded.reason}
        if concluded.version is None or concluded.in_rollout:
            yield dg.AssetObservation(asset_key=context.asset_key, metadata=metadata)
            return
        page = f"{everfit.settings.mlflow_pages.rstrip('/')}/#/models/{model.name}/versions/{concluded.version}"
        yield dg.MaterializeResult(
            metadata=metadata
            | {
                "version": concluded.version,
                "replaced version": str(concluded.replaced),
                "candidate": concluded.candidate,
                "MLflow version": dg.MetadataValue.url(page),
                "model card": dg.MetadataValue.md(shown_card(everfit, model, concluded.version)),
            },
            data_version=dg.DataVersion(str(concluded.version)),
        )

    return champion
