"""The code location: everything declared in the models package, as Dagster definitions. Importing it opens nothing."""

import gc

import dagster as dg

from orchestration.declared_assets import declared
from orchestration.resources import everfit, mlflow
from orchestration.schedules import nightly_backfills, source_days
from orchestration.sensors import prediction_log
from orchestration.watchdog_sensor import dead_mans_switch


def build() -> dg.Definitions:
    """Definitions for all declared models that can be used."""
    found = declared()
    return dg.Definitions(
        assets=found.assets,
        asset_checks=found.checks,
        schedules=nightly_backfills(found.models.values()),
        sensors=[prediction_log, source_days, dead_mans_switch],
        resources={"everfit": everfit, "mlflow": mlflow},
        executor=dg.in_process_executor,
    )


gc.disable()  # nothing of what is declared is ever garbage: looking for some would take a tenth of the time
defs = build()
gc.freeze()  # nor is it looked at later, so that the runs that are forked share it untouched
gc.enable()
