"""What a champion's page in Dagster shows of rollouts: an observation whenever one has changed or ended."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from assets.champion import champion_key

if TYPE_CHECKING:
    import sqlalchemy as sa

    from everfit.store.rollouts import Rollout


def changed_rollouts(
    connection: "sa.Connection", models: Collection[str], known: "dict[str, Rollout]"
) -> Iterator[dg.AssetObservation]:
    """The rollouts that are not as they are ``known``, by their ids, which is brought up to date."""
    from everfit.store import rollouts

    opened = {each.id: each for each in rollouts.open_ones(connection) if each.model in models}
    for rollout in [each for each in known.values() if each.id not in opened]:
        del known[rollout.id]
        ended = next(each for each in rollouts.of_model(connection, rollout.model) if each.id == rollout.id)
        told = {"step": ended.state.replace("_", " "), "reason": ended.reason}
        yield _observation(ended, told)
    for rollout in opened.values():
        if known.get(rollout.id) != rollout:
            known[rollout.id] = rollout
            yield _observation(rollout, _open(rollout))


def _open(rollout: "Rollout") -> dict[str, str]:
    from everfit.pipeline.open_rollouts import shown

    now = shown(rollout)
    return {"step": now.step, "since": f"{now.since:%Y-%m-%d %H:%M}", "waits for": now.waits_for, "live outcomes": now.shown}


def _observation(rollout: "Rollout", told: dict[str, str]) -> dg.AssetObservation:
    about = {"rollout of version": str(rollout.version), "beside version": str(rollout.replaces or "none"), **told}
    return dg.AssetObservation(champion_key(rollout.model), metadata=about)
