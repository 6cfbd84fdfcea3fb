"""Taking a promotion back: an earlier version is champion again, by one row of the ledger."""

import logging

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.errors import EverfitError, PromotionError
from everfit.pipeline import manifests
from everfit.pipeline.announcement import announce
from everfit.pipeline.manifests import Version
from everfit.pipeline.manual_promotion import Promoted
from everfit.pipeline.model_card import publish_card
from everfit.pipeline.reconciliation import set_alias
from everfit.runtime import Runtime
from everfit.store import ledger, model_clocks, rollouts
from everfit.store.ledger import Champion, Entry
from everfit.store.rollback_views import require_inputs
from everfit.training.version_scorer import open_scorer

logger = logging.getLogger(__name__)


def roll_back(runtime: Runtime, model: Model, to: int | None = None, *, actor: str, reason: str | None = None) -> Promoted:
    """Make an earlier version champion again: the one that the champion replaced, or ``to``; its rollout, if any, ends.

    The ledger alone decides, so that it works while MLflow is away; the alias follows, now or when MLflow is back.

    Raises:
        PromotionError: when there is no such version, or it cannot be served: the message says why.
        NotServableError, LakeError: when its artifact does not load.
        StaleChampionError: when another version became champion meanwhile.
    """
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
        if champion is None:
            raise PromotionError(
                f"{model.name} has no champion that could be taken back; `everfit train {model.name}` makes one"
            )
        target = _target(connection, model, champion, to)
        described = manifests.get(runtime.lake, target.manifest, Version)
        signature = manifests.signature_of(runtime.lake, described)
        require_inputs(connection, model, target.version, signature.schema)
    open_scorer(manifests.content_of(runtime.lake, described), signature)
    why = reason or f"version {champion.version} is taken back"
    with runtime.engine.begin() as connection:
        at = model_clocks.read(connection, model) or model.go_live
        detail = {"manifest": target.manifest, "trained_until": target.trained_until.isoformat()}
        entry = Entry(model.name, "rolled_back", champion.version, target.version, actor, "person", why, None, at, detail)
        ledger.replace_champion(connection, entry)
        _end_rollouts(connection, model, why)
    announce(runtime.settings.kafka, model, target.version, why)
    try:
        set_alias(runtime, model.name)
        publish_card(runtime, model, champion.version)
    except EverfitError as error:
        logger.warning("version %d of %s is champion; MLflow's alias follows later: %s", target.version, model.name, error)
    return Promoted(model=model.name, done="rolled back", version=target.version, replaced=champion.version, reason=why)


def _target(connection: sa.Connection, model: Model, champion: Champion, to: int | None) -> Champion:
    version = to or ledger.predecessor(connection, model.name, champion.version)
    if version is None:
        naming = f"name one: `everfit rollback {model.name} --to V`"
        raise PromotionError(f"version {champion.version} of {model.name} replaced none; {naming}")
    if version == champion.version:
        raise PromotionError(f"version {version} of {model.name} is champion already")
    target = ledger.recorded(connection, model.name, version)
    if target is None:
        known = ", ".join(map(str, ledger.versions(connection, model.name)))
        raise PromotionError(f"the ledger knows no version {version} of {model.name}; it knows {known}")
    if not ledger.was_champion(connection, model.name, version):
        instead = f"`everfit promote {model.name} {version}` makes it champion, under a guard"
        raise PromotionError(
            f"version {version} of {model.name} was never champion, so that nothing leads back to it; {instead}"
        )
    return target


def _end_rollouts(connection: sa.Connection, model: Model, why: str) -> None:
    if guarded := rollouts.provisional(connection, model.name):
        rollouts.update(connection, guarded, "rolled_back", reason=why)
    if rollout := rollouts.challenging(connection, model.name):
        rollouts.update(connection, rollout, "superseded", reason=f"the champion was rolled back: {why}")
