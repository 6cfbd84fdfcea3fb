"""Retrain requests as Dagster runs: the run of a request, and the state of launches and their failures."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.candidates import REQUEST_TAG
from everfit.declaration import Model
from everfit.errors import EmptyPartitionError
from everfit.pipeline.code_versions import STAGES
from everfit.runtime import Runtime

if TYPE_CHECKING:
    from everfit.store.requests import RetrainRequest
    from monitors.launches import Launch
    from monitors.transient_failures import Failure

PRIORITY = "10"  # before backfills, which have -10, and what a person launches, which has 0
RUN_KEY_TAG = "dagster/run_key"
OUTSIDE = "This run has been marked as failed"  # Dagster's message where it has no reason
ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def retraining(runtime: Runtime, model: Model, request: "RetrainRequest") -> dg.RunRequest:
    """The run of a request, raw_data to champion: its missing or corrected days as one range, the request's id as a tag.

    The range is that on record, as no function of the model runs in a tick. Days that only these functions show to be out of
    date are made by the run.

    Raises:
        EmptyPartitionError: when nothing has landed before the request's cutoff.
    """
    from everfit.pipeline.daily_partitions import available_days
    from everfit.pipeline.lineage import Lineage, stale_days
    from everfit.timing import midnight

    days = [day for day in available_days(runtime, model) if midnight(day) < request.cutoff]
    if not days:
        raise EmptyPartitionError(f"{model.name}: nothing has landed before {request.cutoff:%Y-%m-%d}; publish its sources")
    lineage = Lineage.on_record(runtime, model, counted=True)
    missing = stale_days(runtime, model, before=request.cutoff, lineage=lineage) or days[-1:]
    return dg.RunRequest(
        run_key=request.run_key,
        asset_selection=[dg.AssetKey([model.name, stage]) for stage in STAGES],
        asset_check_keys=[],
        tags={
            "dagster/priority": PRIORITY,
            "dagster/asset_partition_range_start": missing[0],
            "dagster/asset_partition_range_end": missing[-1],
            REQUEST_TAG: request.id,
            "everfit/cause": request.cause,
        },
    )


def newest_launches(instance: dg.DagsterInstance, requests: "Sequence[RetrainRequest]") -> "Mapping[RetrainRequest, Launch]":
    """The launch of each request's newest attempt."""
    from monitors.launches import Launch

    if not requests:
        return {}
    keys = [request.run_key for request in requests]
    records = instance.get_run_records(dg.RunsFilter(tags={RUN_KEY_TAG: keys}))
    by_key = {record.dagster_run.tags[RUN_KEY_TAG]: record for record in reversed(records)}
    return {
        request: _launch(instance, by_key[request.run_key]) if request.run_key in by_key else Launch("unknown")
        for request in requests
    }


def _launch(instance: dg.DagsterInstance, record: dg.RunRecord) -> "Launch":
    from monitors.launches import Launch

    run = record.dagster_run
    if run.status not in ENDED:
        return Launch("held", run.run_id)
    return Launch(
        "ended",
        run.run_id,
        datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None,
        failure(instance, run.run_id) if run.status == dg.DagsterRunStatus.FAILURE else None,
        run.status == dg.DagsterRunStatus.CANCELED,
    )


def failure(instance: dg.DagsterInstance, run_id: str) -> "Failure":
    """The cause of a run's failure: the first failed step's exception, or the last message about its worker."""
    from monitors.transient_failures import Failure

    records = instance.all_logs(run_id, of_type={dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.ENGINE_EVENT})
    events = [record.get_dagster_event() for record in records]
    ended = next((event for event in events if event.event_type == dg.DagsterEventType.RUN_FAILURE), None)
    if ended and ended.event_specific_data:
        step = ended.job_failure_data.first_step_failure_event
        error = step.step_failure_data.error if step else ended.job_failure_data.error
        if error:
            return _root(error)
    messages = [event.message for event in events if event.message and not event.message.startswith(OUTSIDE)]
    return Failure(None, messages[-1] if messages else "")


def _root(error: Any) -> "Failure":
    """The original exception, which Dagster wraps in its own, prefixing the class to the message."""
    from monitors.transient_failures import Failure

    while error.cause:
        error = error.cause
    name = (error.cls_name or "").rpartition(".")[2]
    return Failure(name or None, error.message.removeprefix(f"{error.cls_name}: "))
