"""Ask for a training as a person would, and wait for what becomes of it. The sensor launches it like any other request."""

from collections.abc import Callable
from dataclasses import dataclass

from everfit.declaration import Model
from everfit.errors import EmptyPartitionError, PromotionError
from everfit.pipeline.loop_progress import watching_loop
from everfit.runtime import Runtime
from everfit.store import declarations, ledger, model_clocks, requests
from everfit.store.database import reachable
from everfit.store.requests import RetrainRequest
from everfit.timing import format_time
from everfit.waiting import Watching, wait_until


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """A request and whether it is new; without new data the same request is not made twice."""

    request: RetrainRequest
    is_new: bool


def request_training(runtime: Runtime, model: Model) -> TrainingRequest:
    """Write a retrain request: for the first training, on the rows from before the go-live, or for one up to the model's clock.

    A failed request gets a further attempt.

    Raises:
        PromotionError: when a person has paused the model.
        DeclarationError: when the declaration has changed where it may not.
        EmptyPartitionError: when there is a champion but no prediction was logged yet, so that there is no clock.
        ServiceError: when Postgres does not answer.
    """
    with reachable(runtime.engine), runtime.engine.begin() as connection:
        declarations.require_unchanged(connection, model)
        if ledger.is_paused(connection, model.name):
            raise PromotionError(f"{model.name} is paused by a person: `everfit resume {model.name}`, then train")
        champion = ledger.champion(connection, model.name)
        clock = model_clocks.read(connection, model) if champion else model.go_live
        if clock is None:
            raise EmptyPartitionError(f"no prediction of {model.name} was logged since version 1: nothing new to train on yet")
        cause = "person" if champion else "bootstrap"
        version = champion.version if champion else None
        reason = "asked for by a person" if champion else f"the first version, from before {format_time(model.go_live)}"
        request = requests.new(model, cause, reason, champion=version, cutoff=clock)
        is_new = requests.add(connection, request)
        if requests.find(connection, request.id).status == "failed":
            requests.retry(connection, request.id, "asked for again by a person")
            is_new = True
        return TrainingRequest(requests.find(connection, request.id), is_new)


def await_training(
    runtime: Runtime,
    request: RetrainRequest,
    *,
    watching: Watching | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> RetrainRequest:
    """Return the request when it has ended; ``report`` receives a line for each state awaited.

    Raises:
        ServiceError: when neither it nor its run made progress for longer than ``watching`` allows; by default as in a replay.
    """

    reported: set[str] = set()

    def read() -> RetrainRequest:
        with reachable(runtime.engine), runtime.engine.connect() as connection:
            current = requests.find(connection, request.id)
        if current.status in requests.OPEN and (line := _under_way(current)) not in reported:
            reported.add(line)
            report(line)
        return current

    return wait_until(
        read,
        lambda current: current.status not in requests.OPEN,
        f"the training {request.id} of {request.model}; is the sensor on that launches it, and its run alive?",
        watching=watching or watching_loop(runtime),
    )


def _under_way(request: RetrainRequest) -> str:
    """The state of an open request, in words."""
    if request.run_id is None:
        return f"training {request.id} waits for the sensor prediction_log to launch it"
    return f"training {request.id} runs, attempt {request.attempt}: run {request.run_id} in Dagster"
