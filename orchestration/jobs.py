"""Jobs: one retraining job a model, and the run requests that launch it."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.candidates import REQUEST_TAG
from everfit.declaration import Model
from everfit.deployment import Deployment
from everfit.errors import EmptyPartitionError

if TYPE_CHECKING:
    from everfit.store.requests import RetrainRequest

PRIORITY = "10"  # before backfills, which have -10, and what a person launches, which has 0
Job = Any  # what define_asset_job returns: Dagster does not export its name


def retrain_job(model: Model) -> Job:
    """raw_data to champion in one run."""
    stages = ["raw_data", "features", "training_set", "trained_model", "evaluation", "champion"]
    return dg.define_asset_job(
        f"retrain_{model.name}",
        selection=dg.AssetSelection.assets(*([model.name, stage] for stage in stages)).without_checks(),
        description=f"Bring {model.name}'s days up to date, train and judge its candidates, and promote what is better.",
    )


def retraining(deployment: Deployment, model: Model, request: "RetrainRequest") -> dg.RunRequest:
    """The run of a request: its missing or corrected days as one range, and the request's id as a tag; never a payload.

    Raises:
        EmptyPartitionError: when nothing has landed before the request's cutoff.
    """
    from everfit.workflow.days import available_days
    from everfit.workflow.lineage import midnight, stale_days

    days = [day for day in available_days(deployment, model) if midnight(day) < request.cutoff]
    if not days:
        raise EmptyPartitionError(f"{model.name}: nothing has landed before {request.cutoff:%Y-%m-%d}; publish its sources")
    missing = stale_days(deployment, model, before=request.cutoff) or days[-1:]
    return dg.RunRequest(
        run_key=request.run_key,
        job_name=f"retrain_{model.name}",
        tags={
            "dagster/priority": PRIORITY,
            "dagster/asset_partition_range_start": missing[0],
            "dagster/asset_partition_range_end": missing[-1],
            REQUEST_TAG: request.id,
            "everfit/cause": request.cause,
        },
    )
