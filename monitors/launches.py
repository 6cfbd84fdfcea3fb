"""Updates of requests from their launches: a request follows its run; a transient failure is retried as often as declared."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from everfit.declaration import Limits, Model
from everfit.store import requests
from everfit.store.requests import RetrainRequest
from everfit.timing import wall_clock
from monitors.transient_failures import Failure

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Launch:
    """The state of a request's newest attempt in the launcher: unknown, under way, or ended.

    Where it ended: when, by the wall clock, and why it failed; ``canceled`` where a person stopped it.
    """

    state: Literal["unknown", "held", "ended"]
    run_id: str | None = None
    ended_at: datetime | None = None
    failure: Failure | None = None
    canceled: bool = False


def reconcile(engine: sa.Engine, models: Mapping[str, Model], launches: Mapping[RetrainRequest, Launch]) -> None:
    """Update open requests from their runs.

    The run itself writes promoted or rejected; a run that ended and left its request open has failed. A transient failure is
    retried until the declared attempts are used up, each after twice the back-off of the previous; a lasting failure, and a run
    that a person canceled, end the request at once. A pending request that the launcher knows is marked launched. A launched
    request whose run was deleted is a failed attempt, too.

    Args:
        launches: the state of the newest attempt of each open request in the launcher.
    """
    for request, launch in launches.items():
        if launch.state == ("held" if request.status == "launched" else "unknown"):
            continue
        with engine.begin() as connection:
            current = requests.find(connection, request.id, lock=True)  # its run may have ended it since
            if current.status not in requests.OPEN or current.attempt != request.attempt:
                continue
            if launch.state == "held":
                requests.mark(connection, request.id, "launched", run_id=launch.run_id)
            elif request.model in models:
                _failed(connection, models[request.model].limits, request, launch)


def _failed(connection: sa.Connection, limits: Limits, request: RetrainRequest, launch: Launch) -> None:
    description = f"attempt {request.attempt}: {_describe(request, launch)}"
    lasting = launch.canceled or (launch.failure is not None and not launch.failure.can_pass)
    if lasting or request.attempt >= limits.attempts:
        why = "it would fail again" if lasting and not launch.canceled else f"given up after {request.attempt} attempts"
        result = description if launch.canceled else f"{description}; {why}"
        logger.error("%s: retraining %s, %s", request.model, request.id, result)
        requests.mark(connection, request.id, "failed", run_id=launch.run_id, result=result)
    elif launch.ended_at and wall_clock() < launch.ended_at + limits.retry_after * 2 ** (request.attempt - 1):
        if request.result != description:
            requests.mark(connection, request.id, request.status, run_id=launch.run_id, result=description)
    else:
        logger.warning("%s: retraining %s, %s; trying again", request.model, request.id, description)
        requests.retry(connection, request.id, description)


def _describe(request: RetrainRequest, launch: Launch) -> str:
    if launch.state == "unknown":
        return f"run {request.run_id} was deleted before it had a verdict"
    if launch.canceled:
        return f"run {launch.run_id} was canceled by a person"
    return f"run {launch.run_id} ended without a verdict" + (f": {launch.failure}" if launch.failure else "")
