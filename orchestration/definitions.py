"""The code location: everything declared in the models package, as Dagster definitions. Importing it opens nothing."""

import gc

import dagster as dg

from assets import model_assets, model_checks
from everfit.catalogue import load_models
from orchestration.resources import everfit, mlflow
from orchestration.schedules import nightly_backfills, source_days
from orchestration.sensors import prediction_log
from orchestration.switch import dead_mans_switch


def build() -> dg.Definitions:
    """Definitions for all declared models."""
    models = load_models().values()
    return dg.Definitions(
        assets=[asset for model in models for asset in model_assets(model)],
        asset_checks=[check for model in models for check in model_checks(model)],
        schedules=nightly_backfills(models),
        sensors=[prediction_log, source_days, dead_mans_switch],
        resources={"everfit": everfit, "mlflow": mlflow},
        executor=dg.in_process_executor,
    )


gc.disable()  # nothing of what is declared is ever garbage: looking for some would take a tenth of the time
defs = build()
gc.freeze()  # nor is it looked at later, so that the runs that are forked share it untouched
gc.enable()
