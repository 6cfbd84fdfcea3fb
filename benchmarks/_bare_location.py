"""Definitions of nothing but Dagster: one asset whose run records the materializations of a range of days."""

import dagster as dg

DAYS = dg.StaticPartitionsDefinition([f"day-{number:03d}" for number in range(90)])


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def recorded(context: dg.AssetExecutionContext) -> None:
    """Nothing is made; each day of the run is recorded with metadata as a real one has."""
    for day in context.partition_keys:
        context.add_asset_metadata({"dagster/partition_row_count": 900, "null share": 0.01}, partition_key=day)


defs = dg.Definitions([recorded], executor=dg.in_process_executor)
"""The run's executor is the one that everfit's runs have."""
