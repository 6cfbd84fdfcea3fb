"""What changes in a rollout: it begins, goes on, makes its version champion, or is refused.

Each within the caller's transaction, which holds the ledger's lock of the model.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.rollouts import Stage, stages_of
from everfit.features.spans import DAY
from everfit.pipeline.lineage import scored_dataset
from everfit.store import ledger, partitions, rollouts
from everfit.store.ledger import Entry
from everfit.store.rollouts import Rollout, State, rollout_id
from everfit.timing import midnight

MOMENT = timedelta(microseconds=1)
LIVE = "live outcomes"  # the cause of what they decide


def begin(connection: sa.Connection, model: Model, entry: Entry, margin: float) -> None:
    """Begin the rollout of a version that the gate passed, as it is declared now; an older one of another version ends.

    Args:
        connection: in a transaction that holds the ledger's lock of the model.
        model: the declaration.
        entry: the ledger's row that registers the version.
        margin: of the metric's loss, what the gate allowed it to lose.
    """
    ledger.append(connection, entry)
    supersede(connection, rollouts.challenging(connection, model.name), entry)
    rollouts.add(connection, _opened(connection, model, entry, margin, stages_of(model.rollout)))


def guard(connection: sa.Connection, model: Model, entry: Entry, margin: float = 0.0) -> None:
    """Watch a version that has just become champion at once, beside the one that it replaced; the first champion has none."""
    for earlier in (rollouts.provisional(connection, model.name), rollouts.challenging(connection, model.name)):
        supersede(connection, earlier, entry)
    if entry.from_version is not None:
        rollouts.add(connection, _opened(connection, model, entry, margin, stages_of(model.rollout)[-1:]))


def advance(connection: sa.Connection, model: Model, rollout: Rollout, at: datetime, *, actor: str, reason: str) -> int | None:
    """Go on to the next stage; returns the version where that makes it champion.

    Raises:
        StaleChampionError: when another version became champion since it was compared.
    """
    following = rollout.stages[rollout.step + 1]
    if following.kind == "guard":
        _crown(connection, model, rollout, at, actor=actor, reason=reason)
        return rollout.version
    since = _answered_until(connection, model, at)
    record(connection, rollout, "advanced", at, actor=actor, reason=reason, stage=following.kind, share=following.share)
    rollouts.update(connection, rollout, _state(following), step=rollout.step + 1, since=since, reason=reason)
    return None


def refuse(
    connection: sa.Connection, rollout: Rollout, at: datetime, *, actor: str, reason: str, state: State = "rejected"
) -> None:
    """End the rollout of a version that is not champion; the champion stays."""
    record(connection, rollout, "rejected", at, actor=actor, reason=reason)
    rollouts.update(connection, rollout, state, reason=reason)


def record(
    connection: sa.Connection, rollout: Rollout, action: ledger.Action, at: datetime, *, actor: str, reason: str, **detail: Any
) -> None:
    """Add a row on a rollout to the ledger."""
    after = {"rejected": None, "rolled_back": rollout.replaces}.get(action, rollout.version)
    before = rollout.version if action in ("rolled_back", "confirmed") else rollout.replaces
    told = {"rollout": rollout.id, "version": rollout.version, **detail}
    entry = Entry(rollout.model, action, before, after, actor, LIVE, reason, rollout.request, at, told)
    ledger.append(connection, entry)


def supersede(connection: sa.Connection, rollout: Rollout | None, entry: Entry) -> None:
    """End a rollout in whose place another version comes."""
    if rollout is not None:
        reason = f"version {entry.to_version} {'began its rollout' if entry.action == 'registered' else 'became champion'}"
        rollouts.update(connection, rollout, "superseded", reason=reason)


def _opened(connection: sa.Connection, model: Model, entry: Entry, margin: float, stages: list[Stage]) -> Rollout:
    assert entry.to_version is not None, "a rollout is of a version"
    return Rollout(
        id=rollout_id(model.name, entry.to_version, entry.event_time, rollouts.number(connection, model.name)),
        model=model.name,
        version=entry.to_version,
        replaces=entry.from_version,
        stages=stages,
        step=0,
        since=_answered_until(connection, model, entry.event_time),
        margin=margin,
        state=_state(stages[0]),
        reason=entry.reason,
        request=entry.request,
    )


def _crown(connection: sa.Connection, model: Model, rollout: Rollout, at: datetime, *, actor: str, reason: str) -> None:
    registered = ledger.registration(connection, model.name, rollout.version)
    told = {"rollout": rollout.id}
    entry = Entry(
        model.name, "promoted", rollout.replaces, rollout.version, actor, registered.cause, reason, rollout.request, at,
        {name: value for name, value in registered.detail.items() if name != "spent"} | told,
    )  # fmt: skip
    ledger.replace_champion(connection, entry)
    supersede(connection, rollouts.provisional(connection, model.name), entry)
    step = rollout.step + 1
    since = _answered_until(connection, model, at)
    rollouts.update(connection, rollout, "provisional", step=step, since=since, looked_until=at, reason=reason)


def _answered_until(connection: sa.Connection, model: Model, clock: datetime) -> datetime:
    """The newest event time that was answered before now: by the clock, or by the days of a table that are answered already."""
    newest = clock + model.log.lateness
    days = partitions.newest_versions(connection, scored_dataset(model)) if model.batch else {}
    return max([newest, *(midnight(day) + DAY - MOMENT for day in days)])


def _state(stage: Stage) -> State:
    states: dict[str, State] = {"approval": "waiting", "guard": "provisional"}
    return states.get(stage.kind, "running")
