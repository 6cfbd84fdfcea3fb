"""What became of the launches: a request follows its run, and a failed one is tried again as often as declared."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.store import requests
from everfit.store.requests import RetrainRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a request's newest attempt stands in the launcher: unknown to it, held by it, or ended without a verdict."""

    state: Literal["unknown", "held", "ended"]
    run_id: str | None = None


def settle(engine: sa.Engine, models: Mapping[str, Model], look: Callable[[RetrainRequest], Launch]) -> None:
    """Bring open requests in step with their runs.

    The run itself writes promoted or rejected; one that ended and left its request open has failed, and is tried again until
    the declared attempts are used up. A pending request that the launcher holds is marked launched.
    """
    with engine.connect() as connection:
        open_requests = requests.in_status(connection, *requests.OPEN)
    for request in open_requests:
        launch = look(request)
        if launch.state == "unknown":
            continue
        with engine.begin() as connection:
            if launch.state == "held":
                requests.mark(connection, request.id, "launched", run_id=launch.run_id)
                continue
            current = requests.find(connection, request.id)
            if current.status not in requests.OPEN or current.attempt != request.attempt:
                continue
            _failed(connection, models[request.model], request, launch)


def _failed(connection: sa.Connection, model: Model, request: RetrainRequest, launch: Launch) -> None:
    told = f"attempt {request.attempt}: run {launch.run_id} ended without a verdict"
    if request.attempt < model.limits.attempts:
        logger.warning("%s: retraining %s, %s; trying again", model.name, request.id, told)
        requests.try_again(connection, request.id, told)
    else:
        logger.error("%s: retraining %s, %s; given up after %d attempts", model.name, request.id, told, request.attempt)
        requests.mark(connection, request.id, "failed", run_id=launch.run_id, result=told)
