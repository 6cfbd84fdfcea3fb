"""What the monitors do in a tick of the sensor, in one call: requests that are open, the log, and what is to be launched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.store import declarations, ledger, requests
from everfit.store.isolation import Isolation
from everfit.store.lake import Lake
from everfit.store.requests import RetrainRequest
from monitors.launches import Launch, reconcile
from monitors.log_pass import run_pass
from monitors.pass_result import PassResult


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick read and judged, and the requests that have no run yet."""

    result: PassResult
    pending: Sequence[RetrainRequest]


def tick(
    engine: sa.Engine,
    lake: Lake,
    bootstrap: str,
    models: Mapping[str, Model],
    launches: Mapping[RetrainRequest, Launch],
) -> Tick:
    """Isolate models that are refused as declared, update open requests, run a pass over the log, list what may be launched.

    Args:
        engine: of everfit's database.
        lake: holds the versions' manifests and reference samples.
        bootstrap: Kafka's address.
        models: the declared models by name.
        launches: the state of the newest attempt of each open request in the launcher.

    Raises:
        ServiceError: when Kafka or Postgres does not answer; what was not committed is read again.
    """
    refused = declarations.isolate_refused(engine, models, Isolation(engine))
    reconcile(engine, models, launches)
    result = run_pass(engine, lake, bootstrap, models)
    with engine.connect() as connection:
        pending = requests.in_status(connection, "pending")
        held = {request.model for request in pending if ledger.is_paused(connection, request.model)} | set(refused)
    return Tick(result, [request for request in pending if request.model in models and request.model not in held])
