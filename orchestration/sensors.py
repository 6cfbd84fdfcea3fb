"""The one sensor: read the log, judge what closed, launch what was asked for.

Its order: settle what became of earlier launches, watch the log (the monitors' long poll), alert, give a sign of
life, emit every pending request.
Ticks may be cut off anywhere: rows and offsets, windows and requests are the monitors' transactions, and a run key launches
once.
"""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

import dagster as dg

from everfit.declaration import Model
from everfit.deployment import Deployment
from everfit.errors import EmptyPartitionError
from orchestration import pools
from orchestration.automation import switched
from orchestration.champions import Told, by_hand, verdicts
from orchestration.days import new_days
from orchestration.launches import held, retraining

if TYPE_CHECKING:
    from everfit.alerts import Watched
    from everfit.heart import Heart
    from everfit.store.isolation import Isolation
    from everfit.store.judgements import Judgement
    from everfit.store.requests import RetrainRequest
    from monitors.watch import Seen


@dg.sensor(
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=1,
    default_status=switched(),
    description="Reads the prediction log into Postgres, judges the windows that close, launches what the policy asks for.",
)
def prediction_log(context: dg.SensorEvaluationContext, everfit: dg.ResourceParam[Deployment]) -> dg.SensorResult:
    """One sensor over all models' log; on where automation is."""
    from everfit import alerts
    from everfit.store import declarations, requests
    from everfit.store.isolation import Isolation
    from monitors.launches import settle
    from monitors.watch import watch

    instance, isolation = context.instance, Isolation(everfit.engine)
    refused = declarations.set_aside(everfit.engine, everfit.models, isolation)
    pools.register(instance, pools.limits(everfit.models.values()))
    settle(everfit.engine, everfit.models, lambda requests: held(instance, requests))
    seen = watch(everfit.engine, everfit.lake, everfit.settings.kafka, everfit.models)
    isolation = Isolation(everfit.engine)  # as the windows have left it
    with everfit.engine.connect() as connection:
        pending = [one for one in requests.in_status(connection, "pending") if one.model not in refused]
    launches = [*_launches(everfit, pending, isolation)]
    days = [*new_days(instance, everfit, isolation)]
    champions = [*_champions(instance, everfit, seen, isolation)]
    alerts.tell(everfit.engine, _wrong(everfit), alerts.Channel.from_environment())
    _heart(everfit).beat()
    return dg.SensorResult(
        run_requests=launches,
        dynamic_partitions_requests=days,
        asset_events=[*_observations(seen), *champions],
        skip_reason=None if launches else _told(seen),
    )


def _wrong(deployment: Deployment) -> "Watched":
    """What somebody has to be told of: the models, what is set aside, and the log."""
    from everfit.events import wall_clock
    from everfit.store import log_state
    from monitors import conditions, log_conditions

    now = wall_clock()
    with deployment.engine.begin() as connection:
        wrong = conditions.look(connection, deployment.models)
        wrong |= log_conditions.look(connection, log_conditions.dead_letter_budget())
        return wrong | log_conditions.lag_causes(log_state.note_lags(connection, now), now, log_conditions.patience())


@cache
def _heart(deployment: Deployment) -> "Heart":
    """What gives the sign of life after each pass; one a process."""
    from everfit.heart import Heart
    from everfit.store.heartbeats import SENSOR

    return Heart(deployment.engine, SENSOR, deployment.settings)


def _launches(deployment: Deployment, pending: "Sequence[RetrainRequest]", isolation: "Isolation") -> Iterator[dg.RunRequest]:
    """A run for each pending request of a declared model; one that cannot be launched after all attempts has failed."""
    from everfit.store.failures import Part

    for request in pending:
        model = deployment.models.get(request.model)
        if model is None:
            continue
        part = Part(model.name, "launch", request.id)
        work = partial(_launch, deployment, model, request)
        run = isolation.attempt(part, work, retry_after=model.limits.retry_after)
        failure = isolation.failure(part)
        if run:
            yield run
        elif failure and failure.attempts >= model.limits.attempts:
            _give_up(deployment, request, f"it could not be launched in {failure.attempts} attempts: {failure.error}")
            isolation.passed(part)


def _launch(deployment: Deployment, model: Model, request: "RetrainRequest") -> dg.RunRequest | None:
    """None where there is nothing to train on."""
    try:
        return retraining(deployment, model, request)
    except EmptyPartitionError as error:
        _give_up(deployment, request, str(error))
        return None


def _give_up(deployment: Deployment, request: "RetrainRequest", why: str) -> None:
    from everfit.store import requests

    with deployment.engine.begin() as connection:
        requests.mark(connection, request.id, "failed", result=why)


def _champions(instance: dg.DagsterInstance, deployment: Deployment, seen: "Seen", isolation: "Isolation") -> Iterator[Told]:
    """What a person promoted by command, and what was judged of the champions, each model for itself."""
    from everfit.store.failures import Part

    for name, model in deployment.models.items():
        judged = [one for one in seen.judgements if one.model == name]

        def told(model: Model = model, judged: "Sequence[Judgement]" = judged) -> list[Told]:
            return [*by_hand(instance, deployment, model), *verdicts(deployment, model, judged)]

        yield from isolation.attempt(Part(name, "check"), told) or []


def _observations(seen: "Seen") -> Iterator[dg.AssetObservation]:
    """What the tick read, on the external assets of the log."""
    for asset, rows in (("predictions", seen.predictions), ("outcomes", seen.outcomes)):
        for model, count in rows.items():
            told: dict[str, int | float] = {"rows": count, "dead letters": seen.dead_letters, "lag": seen.lag}
            if asset == "predictions":
                told["late rows"] = seen.late.get(model, 0)
            if seen.seconds:
                told["rows a second"] = round(count / seen.seconds, 1)
            yield dg.AssetObservation(asset_key=[model, asset], metadata=told)


def _told(seen: "Seen") -> str:
    """Why nothing is launched."""
    read = sum(seen.predictions.values()) + sum(seen.outcomes.values())
    return f"read {read} rows, judged {len({judged.window_end for judged in seen.judgements})} windows; nothing to launch"
