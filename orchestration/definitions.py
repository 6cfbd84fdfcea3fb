"""The code location: everything in the models package as Dagster definitions. Importing it opens no connection."""

import gc

import dagster as dg

from orchestration.declared_assets import declared
from orchestration.experiments import experiment
from orchestration.promotion_jobs import PROMOTION_JOBS
from orchestration.resources import everfit, tracking
from orchestration.schedules import nightly_backfills, source_days
from orchestration.scoring_schedules import daily_scoring
from orchestration.sensors import prediction_log
from orchestration.version_jobs import compare, reproduce
from orchestration.watchdog_sensor import dead_mans_switch


def build() -> dg.Definitions:
    """Definitions for all declared models that can be used."""
    loaded = declared()
    return dg.Definitions(
        assets=loaded.assets,
        asset_checks=loaded.checks,
        jobs=[experiment, reproduce, compare, *PROMOTION_JOBS],
        schedules=[*nightly_backfills(loaded.models.values()), *daily_scoring(loaded.models.values())],
        sensors=[prediction_log, source_days, dead_mans_switch],
        resources={"everfit": everfit, "tracking": tracking},
        executor=dg.in_process_executor,
    )


gc.disable()  # declarations are never garbage; collecting would take a tenth of the time
defs = build()
gc.freeze()  # nor are they scanned later, so that forked runs share their memory
gc.enable()
