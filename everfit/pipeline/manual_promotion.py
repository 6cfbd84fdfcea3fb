"""Promotion by hand: make another version champion, or set MLflow's alias back to the ledger's champion."""

import getpass
import os
from typing import Any

import msgspec
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.errors import LostVersionError, PromotionError
from everfit.pipeline import manifests, rollout_changes
from everfit.pipeline.announcement import announce
from everfit.pipeline.manifests import Version
from everfit.pipeline.model_card import publish_card
from everfit.pipeline.native_versions import require_loading
from everfit.pipeline.promotion import register
from everfit.pipeline.reconciliation import reconcile, set_alias
from everfit.registry import MANIFEST, Artifact
from everfit.runtime import Runtime
from everfit.store import ledger, model_clocks, rollouts
from everfit.store.lake import Lake
from everfit.store.ledger import Champion
from everfit.store.rollback_views import require_inputs


class Promoted(msgspec.Struct, frozen=True, kw_only=True):
    """The result: ``adopted`` and ``registered anew`` are promotions in the ledger, ``restored`` set the alias alone."""

    model: str
    done: str
    version: int
    replaced: int | None
    reason: str


def person() -> str:
    """The user of this process, as the ledger names an actor."""
    try:
        return f"person {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"person {os.getuid()}"


def restore(runtime: Runtime, model: Model, *, actor: str, reason: str | None = None) -> Promoted:
    """Set the alias back to the ledger's champion.

    Where MLflow has lost that version, the same artifact is registered anew from the lake. It gets a number that was never
    used, and a promotion in the ledger from the lost one to it, whose ``restored_from`` keeps the evidence of both together.

    Raises:
        PromotionError: when the ledger knows no champion.
        LakeError: when MLflow has lost the version, and the lake its artifact.
        StaleChampionError: when another version became champion meanwhile.
        ServiceError: when MLflow does not answer.
    """
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    if champion is None:
        raise PromotionError(f"{model.name}: the ledger knows no champion to restore; `everfit train {model.name}` makes one")
    try:
        runtime.registry.fetch(model.name, champion.version)
        set_alias(runtime, model.name)
    except LostVersionError:
        return _register_anew(runtime, model, champion, actor, reason)
    with runtime.engine.connect() as connection:
        ledger.require_champion(connection, model.name, champion.version)
    why = reason or f"the alias is on version {champion.version}, as the ledger says"
    return Promoted(model=model.name, done="restored", version=champion.version, replaced=None, reason=why)


def adopt(runtime: Runtime, model: Model, version: int, *, actor: str, reason: str | None = None) -> Promoted:
    """Make a registered version champion, as a person's promotion.

    Raises:
        PromotionError: when it is champion already, or no version that everfit made of this model.
        LostVersionError: when MLflow does not have it.
        NotServableError: when it does not load, or asks for features that the model does not declare.
        StaleChampionError: when another version became champion meanwhile.
        ServiceError: when MLflow does not answer.
    """
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    if champion and champion.version == version:
        restoring = f"`everfit promote {model.name} --restore` sets MLflow's alias to it"
        raise PromotionError(f"version {version} of {model.name} is champion already; {restoring}")
    registered = runtime.registry.fetch(model.name, version)
    digest = registered.tags.get(MANIFEST)
    if digest is None:
        raise PromotionError(
            f"version {version} of {model.name} has no manifest of everfit's: only what was trained here serves"
        )
    described = manifests.get(runtime.lake, digest, Version)
    if described.model != model.name:
        raise PromotionError(f"version {version} was made for {described.model}, not for {model.name}")
    _require_servable(runtime.lake, model, version, registered)
    with runtime.engine.connect() as connection:
        require_inputs(connection, model, version, registered.signature.schema)
    why = reason or "chosen by hand"
    replaced = champion.version if champion else None
    _promote(runtime, model, described, _Step(replaced, version, digest, actor, why))
    return Promoted(model=model.name, done="adopted", version=version, replaced=replaced, reason=why)


def _require_servable(lake: Lake, model: Model, version: int, registered: Artifact) -> None:
    declared = dict(model.features)
    undeclared = ", ".join(name for name, kind in registered.signature.features if declared.get(name) != kind)
    if undeclared:
        raise PromotionError(
            f"version {version} of {model.name} takes {undeclared}, which the model does not declare so; train again"
        )
    require_loading(lake, registered)


def _register_anew(runtime: Runtime, model: Model, champion: Champion, actor: str, reason: str | None) -> Promoted:
    described = manifests.get(runtime.lake, champion.manifest, Version)
    version = register(runtime, described, champion.manifest)
    lost = f"MLflow had lost version {champion.version}; the same artifact is version {version}"
    why = f"{reason}: {lost}" if reason else lost
    step = _Step(champion.version, version, champion.manifest, actor, why, restored_from=champion.version)
    _promote(runtime, model, described, step)
    return Promoted(model=model.name, done="registered anew", version=version, replaced=champion.version, reason=why)


class _Step(msgspec.Struct, frozen=True):
    """A person's promotion: from a version to another, with its manifest's hash."""

    from_version: int | None
    to_version: int
    manifest: str
    actor: str
    reason: str
    restored_from: int | None = None


def _promote(runtime: Runtime, model: Model, described: Version, step: _Step) -> None:
    """Promote in one transaction, then announce; the alias follows."""
    detail: dict[str, Any] = {
        "manifest": step.manifest,
        "schema": manifests.signature_of(runtime.lake, described).schema,
        "trained_until": described.training_set.cutoff.isoformat(),
        "candidate": described.candidate.name,
    } | ({"restored_from": step.restored_from} if step.restored_from else {})
    with runtime.engine.begin() as connection:
        ledger.replace_champion(connection, entry := _entry(connection, model, step, detail))
        if step.restored_from is None:
            rollout_changes.guard(connection, model, entry)
        else:
            rollouts.renumber(connection, model.name, step.restored_from, step.to_version)
    announce(runtime.settings.kafka, model, step.to_version, step.reason)
    reconcile(runtime, [model.name])
    publish_card(runtime, model, step.to_version)


def _entry(connection: sa.Connection, model: Model, step: _Step, detail: dict[str, Any]) -> ledger.Entry:
    return ledger.Entry(
        model=model.name,
        action="promoted",
        from_version=step.from_version,
        to_version=step.to_version,
        actor=step.actor,
        cause="person",
        reason=step.reason,
        request=None,
        event_time=model_clocks.read(connection, model) or model.go_live,
        detail=detail,
    )
