"""The machine of rollouts: once a day of event time, as the day's labels fall due, each open rollout is looked at and moved on.

What a look finds and does is one transaction, the ledger's row with it: killed anywhere, the next pass finishes the same step.
MLflow's alias and the announcement follow once that is committed.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.rollouts import Role
from everfit.features.spans import DAY
from everfit.pipeline import rollout_changes
from everfit.pipeline.announcement import announce
from everfit.store import ledger, locks, model_clocks, rollouts
from everfit.store.failures import Part, describe
from everfit.store.isolation import Isolation
from everfit.store.rollback_views import require_inputs
from everfit.store.rollouts import LiveDay, Rollout, State
from everfit.timing import format_duration
from monitors.attempts import Attempt
from monitors.live_comparison import LiveVerdict, live_day, live_verdict, of_stage

ACTOR = "rollout"

logger = logging.getLogger(__name__)


class Deployed(NamedTuple):
    """A version's new role by a look, ``none`` where its rollout has ended; ``reason`` is the ledger's."""

    model: Model
    version: int
    reason: str
    role: Role | Literal["none"] = "champion"


class _Look(NamedTuple):
    """One day's look at a rollout: all days so far, and what they say; ``clock`` is the model's."""

    connection: sa.Connection
    model: Model
    rollout: Rollout
    until: datetime
    clock: datetime
    days: Sequence[LiveDay]
    verdict: LiveVerdict


def due(connection: sa.Connection, models: Mapping[str, Model]) -> dict[str, list[Rollout]]:
    """The open rollouts that have a day to be looked at, by model; none of a model that is paused."""
    waiting: dict[str, list[Rollout]] = {}
    opened = [rollout for rollout in rollouts.open_ones(connection) if rollout.model in models]
    clocks = model_clocks.read_all(connection, [models[name] for name in {rollout.model for rollout in opened}])
    for rollout in opened:
        clock = clocks.get(rollout.model)
        if clock is not None and looks_due(models[rollout.model], rollout, clock):
            waiting.setdefault(rollout.model, []).append(rollout)
    return {name: found for name, found in waiting.items() if not ledger.is_paused(connection, name)}


def looks_due(model: Model, rollout: Rollout, clock: datetime) -> bool:
    """Whether the labels of the next day of a rollout are due by the model's clock, or nobody has approved it in time."""
    return clock >= rollout.next_day + DAY + model.training.label_delay or _is_unanswered(rollout, clock)


def move_rollouts(engine: sa.Engine, bootstrap: str, models: Mapping[str, Model], deadline: float) -> list[str]:
    """Look at every day that is due, and announce every new role; returns the models that have another champion by it."""
    crowned = []
    for model, version, reason, role in step_rollouts(engine, models, deadline):
        announce(bootstrap, model, version, reason, role=role)
        crowned += [model.name] if role == "champion" else []
    return crowned


def step_rollouts(engine: sa.Engine, models: Mapping[str, Model], deadline: float) -> Iterator[Deployed]:
    """Look at every day that is due, the oldest first; a rollout that cannot be looked at holds up its own model alone."""
    with engine.connect() as connection:
        waiting = due(connection, models)
    isolation = Isolation(engine)
    for name in waiting:
        part, limits = Part(name, "rollout"), models[name].limits
        while time.monotonic() < deadline:
            before = isolation.failure(part)
            is_last = (before.attempts if before else 0) + 1 >= limits.attempts
            look = partial(_look, engine, models[name], is_last=is_last)
            crowned = isolation.attempt(part, look, retry_after=limits.retry_after)
            if crowned is None:
                break
            yield from crowned


def _look(engine: sa.Engine, model: Model, *, is_last: bool) -> list[Deployed] | None:
    """Look at the oldest due day of each open rollout of the model; None where none is due, or a promotion is under way."""
    with engine.begin() as connection:
        if not locks.try_hold(connection, locks.LEDGER + model.name):
            return None
        attempt = Attempt(connection, is_last)
        waiting = due(connection, {model.name: model}).get(model.name)
        clock = model_clocks.read(connection, model)
        if not waiting or clock is None:
            return None
        return [crowned for rollout in waiting for crowned in _step(attempt, model, rollout, clock)]


def _step(attempt: Attempt, model: Model, rollout: Rollout, clock: datetime) -> Iterator[Deployed]:
    """One day of one rollout; one that cannot be measured, in the last attempt, is a day without a difference."""
    connection = attempt.connection
    champion = ledger.champion(connection, model.name)
    holder = champion.version if champion else None
    if holder != (rollout.version if rollout.state == "provisional" else rollout.replaces):
        rollouts.update(connection, rollout, "superseded", reason=f"version {holder} became champion")
        return
    if _is_unanswered(rollout, clock):
        reason = f"nobody approved or rejected it within {format_duration(rollout.stage.lasts)}: {rollout.reason}"
        rollout_changes.refuse(connection, rollout, clock, actor=ACTOR, reason=reason, state="expired")
        yield Deployed(model, rollout.version, reason, "none")
        return
    start = rollout.next_day
    measured = partial(live_day, connection, model, rollout, start)
    days = [*rollout.days, attempt(measured, partial(_unmeasured, model, start))]
    verdict = live_verdict(model.metric, rollout, days)
    rollouts.update(connection, rollout, rollout.state, looked_until=start + DAY, days=days, reason=verdict.reason)
    look = _Look(connection, model, rollout, start + DAY, clock, days, verdict)
    yield from _guarded(look) if rollout.state == "provisional" else _challenging(look)


def _is_unanswered(rollout: Rollout, clock: datetime) -> bool:
    """Whether nobody has approved or rejected it within the declared time."""
    return rollout.state == "waiting" and clock >= rollout.since + rollout.stage.lasts


def _unmeasured(model: Model, start: datetime, error: Exception) -> LiveDay:
    logger.error("%s: the live outcomes of %s are left out: %s", model.name, f"{start:%Y-%m-%d}", describe(error))
    return LiveDay(
        day=f"{start:%Y-%m-%d}", difference=None, asked=0, rows=0, other_rows=0, degraded=0.0, other_degraded=0.0, missing=0.0,
        other_missing=0.0,
    )  # fmt: skip


def _guarded(look: _Look) -> Iterator[Deployed]:
    """Confirm the provisional champion, or bring back the version that it replaced.

    Raises:
        PromotionError: when that one cannot be served any more; the model's rollouts are set aside with it, and tried again.
    """
    rollout, outcome, told = look.rollout, look.verdict.outcome, look.verdict.reason
    if outcome == "worse" and rollout.replaces is not None:
        _require_servable(look, rollout.replaces)
        reason = f"worse live than version {rollout.replaces}, which is champion again: {told}"
        _end(look, "rolled_back", reason)
        yield Deployed(look.model, rollout.replaces, reason)
    elif outcome == "no_worse":
        _end(look, "confirmed", f"no worse live: {told}")
    elif _is_over(look):
        _end(look, "confirmed", f"kept, as nothing was shown in time: {told}")


def _require_servable(look: _Look, version: int) -> None:
    recorded = ledger.recorded(look.connection, look.model.name, version)
    if recorded is not None and recorded.schema is not None:
        require_inputs(look.connection, look.model, version, recorded.schema)


def _challenging(look: _Look) -> Iterator[Deployed]:
    """Refuse the version, or let it go on when its stage is over."""
    rollout, told, refuse = look.rollout, look.verdict.reason, partial(_refuse, look)
    if look.verdict.outcome == "worse":
        yield refuse(f"worse live: {told}")
    elif not _is_over(look):
        if _has_lasted(look):
            yield refuse(f"{_outcomes(look)} of {rollout.stage.outcomes} outcomes came in time: {told}", "expired")
    elif unanswered := _unanswered(look):
        yield refuse(f"it answered none of its {unanswered} requests: {told}")
    else:
        crowned = rollout_changes.advance(look.connection, look.model, rollout, look.clock, actor=ACTOR, reason=told)
        yield Deployed(look.model, rollout.version, told, "champion" if crowned else rollout.stages[rollout.step + 1].role)


def _unanswered(look: _Look) -> int:
    """The number of requests that the version had in this stage, where it answered none of them; else 0."""
    days = of_stage(look.rollout, look.days)
    return 0 if any(day.rows for day in days) else sum(day.asked for day in days)


def _is_over(look: _Look) -> bool:
    """Whether the stage has lasted as long as declared, has the outcomes that it waits for, or has shown a gain."""
    stage = look.rollout.stage
    if stage.outcomes is not None:
        return _outcomes(look) >= stage.outcomes
    return (stage.kind == "ab_test" and look.verdict.interval.upper < 0) or _has_lasted(look)


def _has_lasted(look: _Look) -> bool:
    return look.until >= look.rollout.since + look.rollout.stage.lasts


def _outcomes(look: _Look) -> int:
    return sum(round(day.rows * (1 - day.missing)) for day in of_stage(look.rollout, look.days))


def _end(look: _Look, state: State, reason: str) -> None:
    action: ledger.Action = "rolled_back" if state == "rolled_back" else "confirmed"
    rollout_changes.record(look.connection, look.rollout, action, look.clock, actor=ACTOR, reason=reason)
    rollouts.update(look.connection, look.rollout, state, reason=reason)


def _refuse(look: _Look, reason: str, state: State = "rejected") -> Deployed:
    rollout_changes.refuse(look.connection, look.rollout, look.clock, actor=ACTOR, reason=reason, state=state)
    return Deployed(look.model, look.rollout.version, reason, "none")
