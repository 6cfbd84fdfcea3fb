"""Dagster events of champions outside of runs: new verdicts, and promotions and rollbacks by command or rollout."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.champion import champion_key
from assets.checks import check_evaluation, newest_evidence, not_judged
from assets.provenance import DATA_VERSION
from everfit.declaration import Model
from everfit.evidence.kinds import kinds
from everfit.runtime import Runtime

if TYPE_CHECKING:
    from everfit.store.judgements import Judgement

ChampionEvent = dg.AssetMaterialization | dg.AssetCheckEvaluation


def verdicts(runtime: Runtime, model: Model, judged: "Sequence[Judgement]") -> Iterator[dg.AssetCheckEvaluation]:
    """The verdicts on the present champion as check evaluations; those on other versions are left out."""
    from everfit.store import ledger

    if not judged:
        return
    with runtime.engine.connect() as connection:
        versions = ledger.champion_numbers(connection, model.name)
    for judgement in judged:
        if judgement.version in versions:
            yield check_evaluation(judgement, runtime.settings.serving_pages)


def by_hand(instance: dg.DagsterInstance, runtime: Runtime, model: Model) -> Iterator[ChampionEvent]:
    """The events of a promotion or rollback without a run, with the version's newest verdicts; none where Dagster has them.

    Dagster shows checks as *not evaluated* after a materialization by a run, but not after one without a run; so an evaluation
    is reported for each.
    """
    from everfit.pipeline.model_card import shown_card
    from everfit.store import ledger

    with runtime.engine.connect() as connection:
        step = ledger.newest_step(connection, model.name)
    if step is None or step.actor.startswith("dagster run"):
        return
    key = champion_key(model.name)
    record = instance.get_latest_materialization_event(key)
    known = record.asset_materialization if record else None
    if known and (known.tags or {}).get(DATA_VERSION) == str(step.version):
        return
    page = f"{runtime.settings.mlflow_pages}/#/models/{model.name}/versions/{step.version}"
    metadata: dict[str, Any] = {"reason": step.reason, "version": step.version, "by": step.actor}
    metadata["MLflow version"] = dg.MetadataValue.url(page)
    metadata["model card"] = dg.MetadataValue.md(shown_card(runtime, model, step.version))
    yield dg.AssetMaterialization(key, metadata=metadata, tags={DATA_VERSION: str(step.version)})
    judged = {judgement.kind: judgement for judgement in newest_evidence(runtime, model)}
    for kind in kinds():
        yield check_evaluation(judged[kind], runtime.settings.serving_pages) if kind in judged else not_judged(model, kind)
