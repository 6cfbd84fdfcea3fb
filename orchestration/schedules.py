"""Nightly backfills: make again exactly the days whose source rows changed, and the days that look back on them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from assets.provenance import report, report_observed
from everfit.declaration import Model
from everfit.runtime import Runtime
from orchestration.activation import schedule_status, sensor_status
from orchestration.day_partitions import add_new_days

if TYPE_CHECKING:
    from everfit.pipeline.backfill_plan import Chunk
    from everfit.pipeline.lineage import Outdated

ASSET_JOB = "__ASSET_JOB"  # Dagster's own over all assets: an everfit job cannot span models, as their days differ
INTERVAL_SECONDS = 30
Night = Sequence[dg.RunRequest] | dg.SkipReason
IN_FLIGHT = [dg.DagsterRunStatus[name] for name in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING", "MANAGED")]


def nightly_backfills(models: Iterable[Model]) -> list[dg.ScheduleDefinition]:
    """A schedule for each declared time of day (``at``, UTC), over all models that declare it."""
    times: dict[str, list[str]] = {}
    for model in models:
        times.setdefault(model.backfill.at, []).append(model.name)
    return [_nightly(at, names) for at, names in sorted(times.items())]


def _nightly(at: str, names: Sequence[str]) -> dg.ScheduleDefinition:
    hour, minute = map(int, at.split(":"))

    @dg.schedule(
        name=f"backfill_{hour:02d}{minute:02d}",
        job_name=ASSET_JOB,
        cron_schedule=f"{minute} {hour} * * *",
        execution_timezone="UTC",
        default_status=schedule_status(),
        description=f"Makes the days whose rows were added or corrected, and those that look back on them: {', '.join(names)}.",
    )
    def nightly(context: dg.ScheduleEvaluationContext, everfit: dg.ResourceParam[Runtime]) -> Night:
        return nights(context.instance, everfit, names, context.scheduled_execution_time)

    return nightly


def nights(instance: dg.DagsterInstance, runtime: Runtime, names: Sequence[str], at: datetime) -> Night:
    """The runs to launch for all these models; the failure of a model's night affects that model alone."""
    from everfit.store.failures import Part
    from everfit.store.isolation import Isolation

    isolation = Isolation(runtime.engine)
    answers = [
        isolation.attempt(Part(name, "backfill"), partial(night, instance, runtime, runtime.models[name], at))
        or dg.SkipReason(f"the night of {name} fails: `everfit status` says why")
        for name in names
        if name in runtime.models
    ]
    launched = [request for answer in answers if not isinstance(answer, dg.SkipReason) for request in answer]
    reasons = "; ".join(str(answer.skip_message) for answer in answers if isinstance(answer, dg.SkipReason))
    return launched or dg.SkipReason(reasons)


def night(instance: dg.DagsterInstance, runtime: Runtime, model: Model, at: datetime) -> Night:
    """The runs to launch at a moment, which is recorded on the features; or the reason to launch none."""
    from everfit.pipeline.backfill_plan import plan
    from everfit.pipeline.backfill_runs import TAG, tags
    from everfit.pipeline.lineage import Lineage, outdated
    from everfit.store import declarations

    with runtime.engine.begin() as connection:
        refusals = declarations.refusals(connection, [model])
    if refusals:
        return dg.SkipReason(refusals[model.name])
    lineage = Lineage.on_record(runtime, model, counted=True)  # what is learnt by cutting a day is for the next night
    report_observed(partial(report, instance), runtime, model, lineage=lineage)
    running = instance.get_runs(dg.RunsFilter(tags={TAG: model.name}, statuses=IN_FLIGHT), limit=1)
    if running:
        return dg.SkipReason(f"an earlier backfill of {model.name} has not ended yet: run {running[0].run_id}")
    stale = outdated(runtime, model, lineage=lineage)
    if not stale:
        return dg.SkipReason(f"nothing changed: every day of {model.name} follows from what has landed")
    chunks = plan(stale, add_new_days(instance, runtime, model), days_per_run=model.backfill.days_per_run)
    instance.report_runless_asset_event(_observation(model, stale, chunks))
    return [
        dg.RunRequest(
            run_key=f"{model.name}, {at:%Y-%m-%d %H:%M}: {chunk}",
            tags=tags(model, chunk),
            asset_selection=[dg.AssetKey([model.name, asset]) for asset in chunk.assets],
        )
        for chunk in chunks
    ]


@dg.sensor(
    name="source_days",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=sensor_status(),
    description="Reports to Dagster which days of sources were touched, so that its pages show stale days. Launches nothing.",
)
def source_days(context: dg.SensorEvaluationContext, everfit: dg.ResourceParam[Runtime]) -> dg.SkipReason:
    """Report the touched days of the sources, as every night, but launch nothing."""
    from everfit.store.failures import Part
    from everfit.store.isolation import Isolation

    isolation, log_events = Isolation(everfit.engine), partial(report, context.instance)
    work_by_model = {name: partial(report_observed, log_events, everfit, model) for name, model in everfit.models.items()}
    count = sum(isolation.attempt(Part(name, "source_days"), work) or 0 for name, work in work_by_model.items())
    return dg.SkipReason(f"reported the data versions of {count} days" if count else "no source day was touched")


def _observation(model: Model, stale: "Outdated", chunks: "Sequence[Chunk]") -> dg.AssetObservation:
    """What the night launched and why, as an observation of the features."""
    reasons = sorted({*stale.raw_data.values(), *stale.features.values()})
    return dg.AssetObservation(
        asset_key=[model.name, "features"],
        description=f"Nightly backfill: {'; '.join(map(str, chunks))}",
        metadata={
            "raw days made anew": len(stale.raw_data),
            "feature days made anew": len(stale.features),
            "because": "; ".join(reasons),
            "days": ", ".join(stale.days),
            "runs": len(chunks),
        },
    )
