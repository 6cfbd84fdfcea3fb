"""Hold the event clock until the loop has caught up, so that no figure depends on the speed of the machine."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from everfit.replay.serving_client import ServingClient
from everfit.store.database import reachable
from everfit.timing import format_time
from everfit.waiting import Watching, wait_until

ARRIVAL_SECONDS = 30.0  # of outcomes that a pass has read before it closed a window

_STATE = sa.text("""
    SELECT (SELECT max(newest) FROM clocks WHERE model = :model) AS asked,
           (SELECT max(observed_at) FROM outcomes WHERE model = :model) AS observed,
           (SELECT max(at) FROM decisions WHERE model = :model) AS decided,
           (SELECT count(*) FROM retrain_requests WHERE model = :model AND status IN ('pending', 'launched')) AS open,
           (SELECT to_version FROM ledger WHERE model = :model AND action <> 'rejected' ORDER BY id DESC LIMIT 1) AS champion
""")


@dataclass(frozen=True, slots=True)
class State:
    """Where a model's loop stands: the newest prediction and outcome that were read from the log, the end of the newest
    window decided, the retrainings under way, and the champion by the ledger.
    """

    asked: datetime | None
    observed: datetime | None
    decided: datetime | None
    open: int
    champion: int | None


def state_of(engine: sa.Engine, model: str) -> State:
    """Read where a model's loop stands."""
    with reachable(engine), engine.connect() as connection:
        return State(*connection.execute(_STATE, {"model": model}).one())


def await_read(
    engine: sa.Engine, model: str, asked: datetime, observed: datetime | None, watching: Watching | None = None
) -> None:
    """Return when the log was read up to the prediction at ``asked`` and the outcome at ``observed``.

    Raises:
        ServiceError: when the loop stood still for longer than ``watching`` allows.
    """
    wait_until(
        lambda: state_of(engine, model),
        lambda state: _reached(state.asked, asked) and (observed is None or _reached(state.observed, observed)),
        f"the log of {model} to be read up to {format_time(asked)}; is the sensor on that reads it?",
        watching=watching,
    )


def await_decision(engine: sa.Engine, model: str, window_end: datetime, watching: Watching | None = None) -> None:
    """Return when the window that ends at ``window_end`` is decided.

    Raises:
        ServiceError: when the loop stood still for longer than ``watching`` allows.
    """
    wait_until(
        lambda: state_of(engine, model),
        lambda state: _reached(state.decided, window_end),
        f"the window of {model} that ends {format_time(window_end)} to be decided; is the sensor on that reads the log?",
        watching=watching,
    )


def await_outcomes(engine: sa.Engine, model: str, sent: datetime, kafka: str, stall_seconds: float = ARRIVAL_SECONDS) -> None:
    """Return when an outcome observed at ``sent`` or later is stored; a window that closed after it has read it before.

    Raises:
        ServiceError: when none arrives, and nothing else does, for ``stall_seconds``.
    """
    wait_until(
        lambda: state_of(engine, model),
        lambda state: _reached(state.observed, sent),
        f"any outcome of {model} from {format_time(sent)} on, sent to Kafka at {kafka}, to arrive in Postgres, though the "
        "window they were sent in is decided. Does the loop read another Kafka (`everfit doctor` asks each process), or are "
        "they refused (`everfit dead-letters list`)?",
        stall_seconds=stall_seconds,
    )


def await_retraining(engine: sa.Engine, serving: ServingClient, model: str, watching: Watching | None = None) -> None:
    """Return when no retraining of the model is under way and serving answers with the ledger's champion.

    Raises:
        ServiceError: when the loop stood still for longer than ``watching`` allows.
    """
    settled = wait_until(
        lambda: state_of(engine, model),
        lambda state: state.open == 0,
        f"the retraining of {model} to end; is its run alive, and the sensor on that launches it?",
        watching=watching,
    )
    if settled.champion is not None:
        wait_until(
            lambda: serving.champion(model),
            lambda version: version == settled.champion,
            f"serving to answer with version {settled.champion} of {model}, the champion by the ledger; can it load it?",
            watching=watching,
        )


def _reached(found: datetime | None, wanted: datetime) -> bool:
    return found is not None and found >= wanted
