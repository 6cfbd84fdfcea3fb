"""What became of the launches: a request follows its run, and a failed one is tried again as often as declared."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from everfit.declaration import Limits, Model
from everfit.events import wall_clock
from everfit.store import requests
from everfit.store.requests import RetrainRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a request's newest attempt stands in the launcher: unknown to it, held by it, or ended (when, by the wall clock)."""

    state: Literal["unknown", "held", "ended"]
    run_id: str | None = None
    ended_at: datetime | None = None


def settle(engine: sa.Engine, models: Mapping[str, Model], look: Callable[[RetrainRequest], Launch]) -> None:
    """Bring open requests in step with their runs.

    The run itself writes promoted or rejected; one that ended and left its request open has failed, and is tried again until
    the declared attempts are used up, each after twice the back-off of the one before. A pending request that the launcher
    holds is marked launched.
    """
    with engine.connect() as connection:
        open_requests = requests.in_status(connection, *requests.OPEN)
    for request in open_requests:
        launch = look(request)
        if launch.state == "unknown":
            continue
        with engine.begin() as connection:
            current = requests.find(connection, request.id, hold=True)  # its run may have ended it since
            if current.status not in requests.OPEN or current.attempt != request.attempt:
                continue
            if launch.state == "held":
                requests.mark(connection, request.id, "launched", run_id=launch.run_id)
                continue
            _failed(connection, models[request.model].limits, request, launch)


def _failed(connection: sa.Connection, limits: Limits, request: RetrainRequest, launch: Launch) -> None:
    told = f"attempt {request.attempt}: run {launch.run_id} ended without a verdict"
    if launch.ended_at and wall_clock() < launch.ended_at + limits.retry_after * 2 ** (request.attempt - 1):
        return
    if request.attempt < limits.attempts:
        logger.warning("%s: retraining %s, %s; trying again", request.model, request.id, told)
        requests.try_again(connection, request.id, told)
    else:
        logger.error("%s: retraining %s, %s; given up after %d attempts", request.model, request.id, told, request.attempt)
        requests.mark(connection, request.id, "failed", run_id=launch.run_id, result=told)
