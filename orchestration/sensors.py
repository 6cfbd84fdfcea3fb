"""The sensor of the prediction log: reads it, judges windows that close, and launches requested retrainings.

The order of a tick: update requests from earlier launches, run a pass over the log (the monitors' long poll), record a
heartbeat, send alerts, emit every pending request. A tick may be interrupted at any point: rows and offsets, windows and
requests are written in the monitors' transactions, and a run key launches once.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

import dagster as dg

from everfit.dagster_api.names import LOOP
from everfit.declaration import Model
from everfit.errors import EmptyPartitionError, ServiceError
from everfit.runtime import Runtime
from orchestration import pool_limits
from orchestration.activation import sensor_status
from orchestration.champion_events import ChampionEvent, by_hand, verdicts
from orchestration.day_partitions import new_days
from orchestration.rollout_events import changed_rollouts
from orchestration.run_requests import newest_launches, retraining

if TYPE_CHECKING:
    from everfit.alerts.heartbeat import Heart
    from everfit.store.isolation import Isolation
    from everfit.store.judgements import Judgement
    from everfit.store.requests import RetrainRequest
    from everfit.store.rollouts import Rollout
    from monitors.pass_result import PassResult

logger = logging.getLogger(__name__)


@dg.sensor(
    name=LOOP,
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=1,
    default_status=sensor_status(),
    description="Reads the prediction log into Postgres, judges the windows that close, launches requested retrainings.",
)
def prediction_log(context: dg.SensorEvaluationContext, everfit: dg.ResourceParam[Runtime]) -> dg.SensorResult:
    """One sensor over the log of all models; on where automation is on."""
    from everfit.alerts import loop_alerts
    from everfit.pipeline.reconciliation import reconcile
    from everfit.store.isolation import Isolation
    from monitors.sensor_tick import tick

    instance = context.instance
    pool_limits.register(instance, pool_limits.limits(everfit.models.values()))
    launched = newest_launches(instance, _open_requests(everfit))
    done = tick(everfit.engine, everfit.lake, everfit.settings.kafka, everfit.models, launched)
    reconcile(everfit, done.result.crowned)
    isolation = Isolation(everfit.engine)
    launches = [*_launches(everfit, done.pending, isolation)]
    days = [*new_days(instance, everfit, isolation)]
    champions = [*_champions(instance, everfit, done.result, isolation)]
    _record_live(everfit, done.result)
    _heart(everfit).beat()
    loop_alerts.send(everfit.engine, everfit.models)
    return dg.SensorResult(
        run_requests=launches,
        dynamic_partitions_requests=days,
        asset_events=[*_observations(done.result), *champions, *_rollouts(everfit)],
        skip_reason=None if launches else _summary(done.result),
    )


def _open_requests(runtime: Runtime) -> "Sequence[RetrainRequest]":
    from everfit.store import requests

    with runtime.engine.connect() as connection:
        return requests.in_status(connection, *requests.OPEN)


def _rollouts(runtime: Runtime) -> "list[dg.AssetObservation]":
    from everfit.store.database import reachable

    with reachable(runtime.engine), runtime.engine.connect() as connection:
        return [*changed_rollouts(connection, runtime.models, _known_rollouts(runtime))]


@cache
def _known_rollouts(_: Runtime) -> "dict[str, Rollout]":
    """The rollouts as this process has shown them last; a new one shows the open ones again."""
    return {}


@cache
def _heart(runtime: Runtime) -> "Heart":
    """The heartbeat of this process, recorded after each pass."""
    from everfit.alerts.heartbeat import Heart
    from everfit.store.heartbeats import SENSOR

    return Heart(runtime.engine, SENSOR, runtime.settings)


def _launches(runtime: Runtime, pending: "Sequence[RetrainRequest]", isolation: "Isolation") -> Iterator[dg.RunRequest]:
    """A run for each pending request; a request that cannot be launched after all attempts fails."""
    from everfit.store.failures import Part

    for request in pending:
        model = runtime.models[request.model]
        part = Part(model.name, "launch", request.id)
        work = partial(_launch, runtime, model, request)
        run = isolation.attempt(part, work, retry_after=model.limits.retry_after)
        failure = isolation.failure(part)
        if run:
            yield run
        elif failure and failure.attempts >= model.limits.attempts:
            _give_up(runtime, request, f"it could not be launched in {failure.attempts} attempts: {failure.error}")
            isolation.passed(part)


def _launch(runtime: Runtime, model: Model, request: "RetrainRequest") -> dg.RunRequest | None:
    """The run of a request; None where there is nothing to train on."""
    try:
        return retraining(runtime, model, request)
    except EmptyPartitionError as error:
        _give_up(runtime, request, str(error))
        return None


def _give_up(runtime: Runtime, request: "RetrainRequest", why: str) -> None:
    from everfit.store import requests

    with runtime.engine.begin() as connection:
        requests.mark(connection, request.id, "failed", result=why)


def _champions(
    instance: dg.DagsterInstance, runtime: Runtime, result: "PassResult", isolation: "Isolation"
) -> Iterator[ChampionEvent]:
    """Promotions by command, and new verdicts on the champions; the failure of a model affects that model alone."""
    from everfit.store.failures import Part

    for name, model in runtime.models.items():
        judged = [judgement for judgement in result.judgements if judgement.model == name]

        def events(model: Model = model, judged: "Sequence[Judgement]" = judged) -> list[ChampionEvent]:
            return [*by_hand(instance, runtime, model), *verdicts(runtime, model, judged)]

        yield from isolation.attempt(Part(name, "check"), events) or []


def _record_live(runtime: Runtime, result: "PassResult") -> None:
    """Record the metric of the windows that were judged in their versions' runs; what MLflow misses comes with the next."""
    from everfit.registry import live_metrics

    for name, model in runtime.models.items():
        judged = [each for each in result.judgements if each.model == name and each.kind == live_metrics.KIND]
        if not judged:
            continue
        try:
            with runtime.engine.connect() as connection:
                live_metrics.record(connection, runtime.settings.mlflow, model, {each.version for each in judged})
        except ServiceError as error:
            logger.warning("%s: the metrics of its newest windows are recorded with the next ones: %s", name, error)


def _observations(result: "PassResult") -> Iterator[dg.AssetObservation]:
    """The rows that the tick read, as observations of the log's external assets."""
    for asset, rows in (("predictions", result.predictions), ("outcomes", result.outcomes)):
        for model, count in rows.items():
            metadata: dict[str, int | float] = {"rows": count, "dead letters": result.dead_letters, "lag": result.lag}
            if asset == "predictions":
                metadata["late rows"] = result.late.get(model, 0)
            if result.seconds:
                metadata["rows a second"] = round(count / result.seconds, 1)
            yield dg.AssetObservation(asset_key=[model, asset], metadata=metadata)


def _summary(result: "PassResult") -> str:
    """The reason why nothing is launched."""
    read = sum(result.predictions.values()) + sum(result.outcomes.values())
    return (
        f"read {read} rows, judged {len({judgement.window_end for judgement in result.judgements})} windows; nothing to launch"
    )
