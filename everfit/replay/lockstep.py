"""Stop the event clock until the loop has caught up, so that no figure depends on the speed of the machine."""

import time
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.features.spans import DAY
from everfit.replay.serving_client import Roles, ServingClient
from everfit.store import comparators, failures, ledger, rollouts
from everfit.store.database import reachable
from everfit.store.failures import Part
from everfit.store.served_roles import Served, served
from everfit.timing import format_time, midnight
from everfit.waiting import Watching, wait_until

ARRIVAL_SECONDS = 30.0  # for outcomes that a pass has read before it closed a window

_STATE = sa.text("""
    SELECT (SELECT max(newest) FROM clocks WHERE model = :model) AS requested,
           (SELECT max(observed_at) FROM outcomes WHERE model = :model) AS observed,
           (SELECT max(at) FROM decisions WHERE model = :model) AS decided,
           (SELECT count(*) FROM retrain_requests WHERE model = :model AND status IN ('pending', 'launched')) AS open,
           (SELECT to_version FROM ledger WHERE model = :model AND action IN ('promoted', 'rolled_back')
            ORDER BY id DESC LIMIT 1) AS champion
""")


@dataclass(frozen=True, slots=True)
class State:
    """The progress of a model's loop: the newest prediction and outcome read from the log, the end of the newest decided
    window, the number of retrainings under way, and the champion by the ledger.
    """

    requested: datetime | None
    observed: datetime | None
    decided: datetime | None
    open: int
    champion: int | None


def state_of(engine: sa.Engine, model: str) -> State:
    """Read the progress of a model's loop."""
    with reachable(engine), engine.connect() as connection:
        return State(*connection.execute(_STATE, {"model": model}).one())


def await_read(
    engine: sa.Engine, model: str, requested: datetime, observed: datetime | None, watching: Watching | None = None
) -> None:
    """Return when the log was read up to the prediction at ``requested`` and the outcome at ``observed``.

    Raises:
        ServiceError: when the loop made no progress for longer than ``watching`` allows.
    """
    wait_until(
        lambda: state_of(engine, model),
        lambda state: _reached(state.requested, requested) and (observed is None or _reached(state.observed, observed)),
        f"the log of {model} to be read up to {format_time(requested)}; is the sensor on that reads it?",
        watching=watching,
    )


def await_decision(engine: sa.Engine, model: str, window_end: datetime, watching: Watching | None = None) -> None:
    """Return when the window that ends at ``window_end`` is decided.

    Raises:
        ServiceError: when the loop made no progress for longer than ``watching`` allows.
    """
    wait_until(
        lambda: state_of(engine, model),
        lambda state: _reached(state.decided, window_end),
        f"the window of {model} that ends {format_time(window_end)} to be decided; is the sensor on that reads the log?",
        watching=watching,
    )


def await_comparators(engine: sa.Engine, model: str, watching: Watching | None = None) -> None:
    """Return when no comparator of the model waits to be fitted, so that the next decision has it however slow the machine is.

    Raises:
        ServiceError: when nobody fits any for longer than ``watching`` allows.
    """

    def read() -> tuple[int, float]:
        with reachable(engine), engine.connect() as connection:
            left = comparators.open_of(connection, model)
            return len(left), time.monotonic() if left and comparators.any_fitted_now(connection) else 0.0

    wait_until(
        read,
        lambda state: state[0] == 0,
        f"the comparator of {model} to be fitted; does `everfit comparators` run?",
        watching=watching and Watching(watching.patience),  # what the loop does is no sign of it
    )


def day_due(model: Model, at: datetime) -> datetime:
    """End of the newest day of event time whose labels are due by the model's clock, once a request at a moment is read."""
    return midnight((at - model.log.lateness - model.training.label_delay).date())


def looks_due(engine: sa.Engine, model: str, day: datetime) -> bool:
    """Whether an open rollout of the model has a day up to ``day`` to be looked at.

    None has where a person paused the model, nor where a look has failed: it is tried again while the others go on.
    """
    with reachable(engine), engine.connect() as connection:
        opened = [rollout for rollout in rollouts.open_ones(connection) if rollout.model == model]
        if not any(rollout.next_day + DAY <= day for rollout in opened) or ledger.is_paused(connection, model):
            return False
        return Part(model, "rollout") not in {failure.part for failure in failures.listed(connection)}


def await_looks(engine: sa.Engine, model: str, day: datetime, watching: Watching | None = None) -> None:
    """Return when every open rollout of the model has been looked at up to ``day``.

    Raises:
        ServiceError: when the loop made no progress for longer than ``watching`` allows.
    """
    wait_until(
        lambda: looks_due(engine, model, day),
        lambda due: not due,
        f"the rollout of {model} to be looked at up to {format_time(day)}; is the sensor on that reads the log?",
        watching=watching,
    )


def await_outcomes(engine: sa.Engine, model: str, sent: datetime, kafka: str, stall_seconds: float = ARRIVAL_SECONDS) -> None:
    """Return when an outcome observed at ``sent`` or later is stored.

    Raises:
        ServiceError: when neither it nor anything else arrives for ``stall_seconds``.
    """
    wait_until(
        lambda: state_of(engine, model),
        lambda state: _reached(state.observed, sent),
        f"any outcome of {model} from {format_time(sent)} on, sent to Kafka at {kafka}, to arrive in Postgres, though the "
        "window they were sent in is decided. Does the loop read another Kafka (see `everfit doctor`), or are they rejected "
        "(see `everfit dead-letters list`)?",
        stall_seconds=stall_seconds,
    )


def await_retraining(engine: sa.Engine, serving: ServingClient, model: str, watching: Watching | None = None) -> None:
    """Return when no retraining of the model is under way and serving answers as ledger and rollouts say.

    Raises:
        ServiceError: when the loop made no progress for longer than ``watching`` allows.
    """
    wait_until(
        lambda: state_of(engine, model),
        lambda state: state.open == 0 or _is_paused(engine, model),
        f"the retraining of {model} to end; is its run alive, and the sensor on that launches it?",
        watching=watching,
    )
    await_roles(engine, serving, model, watching)


def _is_paused(engine: sa.Engine, model: str) -> bool:
    with reachable(engine), engine.connect() as connection:
        return ledger.is_paused(connection, model)


def await_roles(engine: sa.Engine, serving: ServingClient, model: str, watching: Watching | None = None) -> None:
    """Return when serving answers with the ledger's champion, and beside it with all that rollouts name and it can load.

    Raises:
        ServiceError: when it does not within the time that ``watching`` allows.
    """
    with reachable(engine), engine.connect() as connection:
        wanted = served(connection, model)
    if wanted.champion is None or _same(serving.roles(model), wanted):
        return
    serving.refresh(model)
    wait_until(
        lambda: serving.roles(model).champion,
        lambda version: version == wanted.champion,
        f"serving to answer with version {wanted.champion} of {model}, the champion by the ledger; can it load it?",
        watching=watching,
    )


def _same(roles: Roles, wanted: Served) -> bool:
    """Whether these roles are served; a person's shadow may be there besides."""
    given = (roles.champion, roles.challenger, roles.share, roles.unit)
    asked = (wanted.champion, wanted.challenger, wanted.share, wanted.unit)
    return given == asked and set(wanted.shadows) <= set(roles.shadows)


def _reached(current: datetime | None, wanted: datetime) -> bool:
    return current is not None and current >= wanted
