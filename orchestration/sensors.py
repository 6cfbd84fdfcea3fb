"""The one sensor: read the log, judge what closed, launch what was asked for.

Its order: settle what became of earlier launches, watch the log (the monitors' long poll), alert, emit every pending request.
Ticks may be cut off anywhere: rows and offsets, windows and requests are the monitors' transactions, and a run key launches
once.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from assets.checks import check_evaluation
from everfit.deployment import Deployment
from everfit.errors import EmptyPartitionError
from orchestration import pools
from orchestration.automation import switched
from orchestration.days import new_days
from orchestration.launches import held, retraining

if TYPE_CHECKING:
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
    from everfit.events import wall_clock
    from everfit.store import log_state, requests
    from monitors import alerts, conditions, log_conditions
    from monitors.launches import settle
    from monitors.watch import watch

    instance = context.instance
    pools.register(instance, pools.limits(everfit.models.values()))
    settle(everfit.engine, everfit.models, lambda requests: held(instance, requests))
    seen = watch(everfit.engine, everfit.lake, everfit.settings.kafka, everfit.models)
    pages = everfit.settings.serving_pages
    with everfit.engine.begin() as connection:
        pending = requests.in_status(connection, "pending")
        wrong = conditions.look(connection, everfit.models)
        wrong |= log_conditions.look(connection, log_conditions.dead_letter_budget())
        now = wall_clock()
        wrong |= log_conditions.lag_causes(log_state.note_lags(connection, now), now, log_conditions.patience())
    alerts.tell(everfit.engine, wrong, alerts.Channel.from_environment())
    return dg.SensorResult(
        run_requests=[*_launches(everfit, pending)],
        dynamic_partitions_requests=[*new_days(instance, everfit)],
        asset_events=[*_observations(seen), *(check_evaluation(judged, pages) for judged in seen.judgements)],
        skip_reason=None if pending else _told(seen),
    )


def _launches(deployment: Deployment, pending: "Sequence[RetrainRequest]") -> Iterator[dg.RunRequest]:
    """A run for each pending request of a declared model; one that has nothing to train on has failed."""
    from everfit.store import requests

    for request in pending:
        if request.model not in deployment.models:
            continue
        try:
            yield retraining(deployment, deployment.models[request.model], request)
        except EmptyPartitionError as error:
            with deployment.engine.begin() as connection:
                requests.mark(connection, request.id, "failed", result=str(error))


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
