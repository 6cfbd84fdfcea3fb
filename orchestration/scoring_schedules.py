"""Daily scoring: every whole day of a model's table of requests that was not scored yet, the missed ones with it."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial

import dagster as dg

from assets.scored_requests import SCORED
from everfit.declaration import Model
from everfit.runtime import Runtime
from orchestration.activation import schedule_status
from orchestration.schedules import ASSET_JOB, IN_FLIGHT, Night

TAG = "everfit/scoring"


def daily_scoring(models: Iterable[Model]) -> list[dg.ScheduleDefinition]:
    """A schedule for each declared time of day (``at``, UTC), over all models that score a table then."""
    times: dict[str, list[str]] = {}
    for model in models:
        if model.batch is not None:
            times.setdefault(model.batch.at, []).append(model.name)
    return [_daily(at, names) for at, names in sorted(times.items())]


def _daily(at: str, names: Sequence[str]) -> dg.ScheduleDefinition:
    hour, minute = map(int, at.split(":"))

    @dg.schedule(
        name=f"scoring_{hour:02d}{minute:02d}",
        job_name=ASSET_JOB,
        cron_schedule=f"{minute} {hour} * * *",
        execution_timezone="UTC",
        default_status=schedule_status(),
        description=f"Scores the whole days of the tables of requests that were not scored yet: {', '.join(names)}.",
    )
    def scoring(context: dg.ScheduleEvaluationContext, everfit: dg.ResourceParam[Runtime]) -> Night:
        return scorings(context.instance, everfit, names, context.scheduled_execution_time)

    return scoring


def scorings(instance: dg.DagsterInstance, runtime: Runtime, names: Sequence[str], at: datetime) -> Night:
    """The runs to launch for all these models; the failure of one affects that model alone."""
    from everfit.store.failures import Part
    from everfit.store.isolation import Isolation

    isolation = Isolation(runtime.engine)
    answers = [
        isolation.attempt(Part(name, "scoring"), partial(_scoring, instance, runtime, runtime.models[name], at))
        or dg.SkipReason(f"the scoring of {name} fails: `everfit status` says why")
        for name in names
        if name in runtime.models
    ]
    launched = [request for answer in answers if not isinstance(answer, dg.SkipReason) for request in answer]
    reasons = "; ".join(str(answer.skip_message) for answer in answers if isinstance(answer, dg.SkipReason))
    return launched or dg.SkipReason(reasons)


def _scoring(instance: dg.DagsterInstance, runtime: Runtime, model: Model, at: datetime) -> Night:
    from everfit.serving.scored_days import due_days
    from everfit.store import declarations, ledger

    with runtime.engine.begin() as connection:
        refusals = declarations.refusals(connection, [model])
        champion = ledger.champion(connection, model.name)
        days = due_days(connection, model, at.date())
    if refusals:
        return dg.SkipReason(refusals[model.name])
    if champion is None:
        return dg.SkipReason(f"{model.name} has no champion yet; train and promote one: `everfit train {model.name}`")
    if running := instance.get_runs(dg.RunsFilter(tags={TAG: model.name}, statuses=IN_FLIGHT), limit=1):
        return dg.SkipReason(f"an earlier scoring of {model.name} has not ended yet: run {running[0].run_id}")
    if not days:
        return dg.SkipReason(f"every whole day of {model.name}'s table is scored")
    return [_request(model, several, at) for several in ranges(days, model.backfill.days_per_run)]


def ranges(days: Sequence[str], longest: int) -> list[list[str]]:
    """Runs of consecutive days, of limited length."""
    made: list[list[str]] = []
    for day in days:
        last = made[-1] if made else []
        if last and len(last) < longest and date.fromisoformat(day) - date.fromisoformat(last[-1]) == timedelta(days=1):
            last.append(day)
        else:
            made.append([day])
    return made


def _request(model: Model, days: Sequence[str], at: datetime) -> dg.RunRequest:
    span = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
    return dg.RunRequest(
        run_key=f"{model.name}, {at:%Y-%m-%d %H:%M}: scoring of {days[0]} to {days[-1]}",
        tags={TAG: model.name, "dagster/defer_asset_events": "true", **span},
        asset_selection=[dg.AssetKey([model.name, SCORED])],
    )
