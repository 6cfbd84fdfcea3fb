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
from everfit.errors import EmptyPartitionError
from everfit.runtime import Runtime
from orchestration import pool_limits
from orchestration.activation import switched
from orchestration.champion_events import Told, by_hand, verdicts
from orchestration.day_partitions import new_days
from orchestration.run_requests import held, retraining

if TYPE_CHECKING:
    from everfit.alerts.heartbeat import Heart
    from everfit.alerts.state import Findings
    from everfit.store.isolation import Isolation
    from everfit.store.judgements import Judgement
    from everfit.store.requests import RetrainRequest
    from monitors.tick import Seen


@dg.sensor(
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=1,
    default_status=switched(),
    description="Reads the prediction log into Postgres, judges the windows that close, launches what the policy asks for.",
)
def prediction_log(context: dg.SensorEvaluationContext, everfit: dg.ResourceParam[Runtime]) -> dg.SensorResult:
    """One sensor over all models' log; on where automation is."""
    from everfit.alerts.channels import installed_channels
    from everfit.alerts.notification import notify
    from everfit.store import declarations, requests
    from everfit.store.isolation import Isolation
    from monitors.launches import settle
    from monitors.tick import watch

    instance, isolation = context.instance, Isolation(everfit.engine)
    refused = declarations.isolate_refused(everfit.engine, everfit.models, isolation)
    pool_limits.register(instance, pool_limits.limits(everfit.models.values()))
    settle(everfit.engine, everfit.models, lambda requests: held(instance, requests))
    seen = watch(everfit.engine, everfit.lake, everfit.settings.kafka, everfit.models)
    isolation = Isolation(everfit.engine)  # as the windows have left it
    with everfit.engine.connect() as connection:
        pending = [one for one in requests.in_status(connection, "pending") if one.model not in refused]
    launches = [*_launches(everfit, pending, isolation)]
    days = [*new_days(instance, everfit, isolation)]
    champions = [*_champions(instance, everfit, seen, isolation)]
    notify(everfit.engine, _wrong(everfit), installed_channels())
    _heart(everfit).beat()
    return dg.SensorResult(
        run_requests=launches,
        dynamic_partitions_requests=days,
        asset_events=[*_observations(seen), *champions],
        skip_reason=None if launches else _told(seen),
    )


def _wrong(runtime: Runtime) -> "Findings":
    """What somebody has to be told of: the models, what is set aside, and the log."""
    from everfit.alerts import log_rules, model_rules
    from everfit.store import log_state
    from everfit.timing import wall_clock

    now = wall_clock()
    with runtime.engine.begin() as connection:
        wrong = model_rules.look(connection, runtime.models)
        wrong |= log_rules.look(connection, log_rules.dead_letter_budget())
        return wrong | log_rules.lag_causes(log_state.note_lags(connection, now), now, log_rules.patience())


@cache
def _heart(runtime: Runtime) -> "Heart":
    """What gives the sign of life after each pass; one a process."""
    from everfit.alerts.heartbeat import Heart
    from everfit.store.heartbeats import SENSOR

    return Heart(runtime.engine, SENSOR, runtime.settings)


def _launches(runtime: Runtime, pending: "Sequence[RetrainRequest]", isolation: "Isolation") -> Iterator[dg.RunRequest]:
    """A run for each pending request of a declared model; one that cannot be launched after all attempts has failed."""
    from everfit.store.failures import Part

    for request in pending:
        model = runtime.models.get(request.model)
        if model is None:
            continue
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
    """None where there is nothing to train on."""
    try:
        return retraining(runtime, model, request)
    except EmptyPartitionError as error:
        _give_up(runtime, request, str(error))
        return None


def _give_up(runtime: Runtime, request: "RetrainRequest", why: str) -> None:
    from everfit.store import requests

    with runtime.engine.begin() as connection:
        requests.mark(connection, request.id, "failed", result=why)


def _champions(instance: dg.DagsterInstance, runtime: Runtime, seen: "Seen", isolation: "Isolation") -> Iterator[Told]:
    """What a person promoted by command, and what was judged of the champions, each model for itself."""
    from everfit.store.failures import Part

    for name, model in runtime.models.items():
        judged = [one for one in seen.judgements if one.model == name]

        def told(model: Model = model, judged: "Sequence[Judgement]" = judged) -> list[Told]:
            return [*by_hand(instance, runtime, model), *verdicts(runtime, model, judged)]

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
