"""Who serves: the champion by the ledger, and who answers beside it by the rollouts."""

from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from everfit.store import ledger, rollouts

STANDBY = 2  # versions that were champion before


@dataclass(frozen=True, slots=True)
class Served:
    """The versions that serve a model.

    ``share``, between 0 and 1, of the values of ``unit`` (a field of the request; empty: the entity) gets the challenger's
    answers; ``shadows`` answer along for the log alone. Those on ``standby`` answer nothing: they were champion lately, and a
    rollback to them waits for nothing.
    """

    champion: int | None = None
    challenger: int | None = None
    share: float = 0.0
    unit: str = ""
    shadows: tuple[int, ...] = ()
    standby: tuple[int, ...] = field(default=(), compare=False)


def served(connection: sa.Connection, model: str) -> Served:
    """Who serves now, and who is on standby, :data:`STANDBY` at most.

    A version in its rollout gets the share of its stage, or is a shadow; so is the predecessor of a provisional champion.
    """
    holder = ledger.champion(connection, model)
    if holder is None:
        return Served()
    return replace(
        _roles(connection, model, holder.version), standby=tuple(ledger.former_champions(connection, model, STANDBY))
    )


def _roles(connection: sa.Connection, model: str, champion: int) -> Served:
    guarded, rollout = rollouts.provisional(connection, model), rollouts.challenging(connection, model)
    shadows = [guarded.replaces] if guarded and guarded.version == champion and guarded.replaces else []
    if rollout is None or rollout.version == champion:
        return Served(champion, shadows=tuple(shadows))
    stage = rollout.stage
    if stage.share > 0:
        return Served(champion, rollout.version, stage.share, stage.unit, tuple(shadows))
    return Served(champion, shadows=(*shadows, rollout.version))
