"""A person's word in a rollout: approve or reject; and pause and resume a model."""

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.errors import PromotionError
from everfit.pipeline import rollout_changes
from everfit.pipeline.announcement import announce
from everfit.pipeline.model_card import publish_card
from everfit.pipeline.reconciliation import reconcile
from everfit.runtime import Runtime
from everfit.store import ledger, model_clocks, rollouts
from everfit.store.ledger import Entry
from everfit.store.rollouts import Rollout


def approve(runtime: Runtime, model: Model, *, actor: str, reason: str | None = None) -> Rollout:
    """Let the version that waits for a person go on to its next step; returns its rollout as it was.

    Raises:
        PromotionError: when none waits.
        StaleChampionError: when another version became champion since it was compared.
    """
    why = reason or "approved"
    with runtime.engine.begin() as connection:
        ledger.lock(connection, model.name)
        rollout = rollouts.challenging(connection, model.name)
        if rollout is None or rollout.state != "waiting":
            raise PromotionError(f"no version of {model.name} waits for approval: {_doing(connection, model, rollout)}")
        at = model_clocks.read(connection, model) or model.go_live
        rollout_changes.record(connection, rollout, "approved", at, actor=actor, reason=why)
        rollout_changes.advance(connection, model, rollout, at, actor=actor, reason=why)
    announce(runtime.settings.kafka, model, rollout.version, why, role=rollout.stages[rollout.step + 1].role)
    reconcile(runtime, [model.name])
    publish_card(runtime, model, rollout.version)
    return rollout


def reject(runtime: Runtime, model: Model, *, actor: str, reason: str | None = None) -> Rollout:
    """End the rollout of the version that challenges the champion; returns it as it was.

    Raises:
        PromotionError: when none does.
    """
    why = reason or "rejected by a person"
    with runtime.engine.begin() as connection:
        ledger.lock(connection, model.name)
        rollout = rollouts.challenging(connection, model.name)
        if rollout is None:
            raise PromotionError(f"no version of {model.name} is in its rollout: {_doing(connection, model, rollout)}")
        at = model_clocks.read(connection, model) or model.go_live
        rollout_changes.refuse(connection, rollout, at, actor=actor, reason=why)
    announce(runtime.settings.kafka, model, rollout.version, why, role="none")
    publish_card(runtime, model, rollout.version)
    return rollout


def pause(runtime: Runtime, model: Model, *, actor: str, reason: str | None = None) -> bool:
    """Stop the model's decisions, promotions and rollouts, while evidence goes on; False where it was paused before."""
    return _switch(runtime, model, "paused", actor, reason)


def resume(runtime: Runtime, model: Model, *, actor: str, reason: str | None = None) -> bool:
    """Let them go on; False where it was not paused."""
    return _switch(runtime, model, "resumed", actor, reason)


def _switch(runtime: Runtime, model: Model, action: ledger.Action, actor: str, reason: str | None) -> bool:
    with runtime.engine.begin() as connection:
        ledger.lock(connection, model.name)
        if ledger.is_paused(connection, model.name) == (action == "paused"):
            return False
        champion = ledger.champion(connection, model.name)
        at = model_clocks.read(connection, model) or model.go_live
        version = champion.version if champion else None
        entry = Entry(model.name, action, version, None, actor, "person", reason or f"{action} by a person", None, at, {})
        ledger.append(connection, entry)
    return True


def _doing(connection: sa.Connection, model: Model, rollout: Rollout | None) -> str:
    if rollout is not None:
        return f"version {rollout.version} is in its {rollout.stage.kind}; `everfit reject {model.name}` ends its rollout"
    guarded = rollouts.provisional(connection, model.name)
    if guarded is not None:
        return f"version {guarded.version} is champion, provisionally; `everfit rollback {model.name}` takes it back"
    return "there is no rollout"
