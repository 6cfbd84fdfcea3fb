"""The daily asset of a model that scores a table: the day's requests, answered by the champion and sent to the log."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.pages import declared_in
from assets.provenance import Result, log_events, materialization_of, materialized
from everfit.declaration import Model
from everfit.declaration.daily_scoring import BatchScoring
from everfit.runtime import Runtime

if TYPE_CHECKING:
    from everfit.serving.scored_days import ScoredDay

SCORED = "scored_requests"
PROBLEMS_SHOWN = 20


def scored_requests(model: Model, batch: BatchScoring) -> dg.AssetsDefinition:
    """The answers to the rows of the model's table, by day from the go-live on."""
    rows = dg.AssetDep([model.name, batch.requests.name], partition_mapping=dg.IdentityPartitionMapping())

    @dg.asset(
        key=[model.name, SCORED],
        description=f"The rows of {batch.requests.name} of a day, each a request at its event time: answered by the champion "
        "as serving answers, and sent to the prediction log. A request that was answered keeps its answer.",
        group_name=model.name,
        owners=model.owners,
        kinds={"kafka", "parquet"},
        partitions_def=dg.DailyPartitionsDefinition(model.go_live.date().isoformat(), timezone="UTC"),
        backfill_policy=dg.BackfillPolicy.multi_run(model.backfill.days_per_run),
        deps=[rows],
        metadata=declared_in(model),
    )
    def scored_requests(context: dg.AssetExecutionContext, everfit: dg.ResourceParam[Runtime]) -> Iterator[Result]:
        from everfit.pipeline.day_isolation import make_isolated
        from everfit.serving.scored_days import score_days
        from everfit.timing import wall_clock

        made: dict[str, ScoredDay] = {}

        def score(days: Sequence[str]) -> None:
            made.update((day.day, day) for day in score_days(everfit, model, days, wall_clock()))

        try:
            make_isolated(everfit, model, "scored_requests", context.partition_keys, score)
        except Exception:
            # what was scored before is on record, and would be told by no later run
            log_events(context, [materialization_of(context.asset_key, day, {}, _metadata(day)) for day in made.values()])
            raise
        yield from materialized(context, list(made.values()), {}, _metadata)

    return scored_requests


def _metadata(day: "ScoredDay") -> dict[str, Any]:
    told = [f"{count} x {problem}" for problem, count in Counter(day.problems).most_common(PROBLEMS_SHOWN)]
    return {
        "dagster/partition_row_count": day.rows,
        "rows scored": day.scored,
        "degraded": day.degraded,
        "problems": len(day.problems),
        **({"why rows have no answer": "\n".join(told)} if told else {}),
        "version": ", ".join(map(str, day.versions)) or "none",
        "data version": day.data_version,
    }
