"""The watchdog as a sensor: it alerts where ``prediction_log`` does not tick or a champion becomes too old.

It stops with the daemon or the code location: serving has a watchdog for that (:mod:`everfit.alerts.watchdog`).
"""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState

from assets.champion import champion_key
from everfit.runtime import Runtime
from orchestration.activation import sensor_status

BEGAN = time.monotonic()  # of this process: a loop that never passed is awaited from here


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=sensor_status(),
    description="Alerts when the loop itself has stopped, or nothing was promoted for the declared time of wall clock.",
)
def dead_mans_switch(context: dg.SensorEvaluationContext, everfit: dg.ResourceParam[Runtime]) -> dg.SkipReason:
    """Send alerts, and request a retraining where new labels are known; launches nothing itself."""
    from everfit.alerts import alias_rules, watchdog
    from everfit.alerts.channels import installed_channels
    from everfit.alerts.notification import notify
    from everfit.pipeline.reconciliation import reconcile
    from everfit.store import heartbeats
    from everfit.store.database import reachable
    from monitors import promotion_age

    failing = too_old(context.instance, everfit.models)
    with reachable(everfit.engine):
        with everfit.engine.begin() as connection:
            findings = promotion_age.overdue(connection, everfit.models, failing)
            beats = heartbeats.newest(connection)
        with everfit.engine.connect() as connection:  # nothing that is written waits for MLflow
            findings |= alias_rules.look(connection, everfit.settings.mlflow, everfit.models)
        reconcile(everfit, [name for name, family in findings.ongoing if family == "registry"])
        findings |= watchdog.stopped(beats, time.monotonic() - BEGAN, watchdog.silence())
        notify(everfit.engine, findings, installed_channels())
    return dg.SkipReason("; ".join(findings.ongoing.values()) or "the loop passes, and no champion is too old")


def too_old(instance: dg.DagsterInstance, names: Iterable[str]) -> Mapping[str, datetime | None]:
    """The models whose champion fails Dagster's freshness policy, and when each was last promoted."""
    keys = {champion_key(name): name for name in names}
    states = instance.get_freshness_state_records(list(keys))
    failed = [key for key, record in states.items() if record.freshness_state == FreshnessState.FAIL]
    return {keys[key]: _materialized_at(instance, key) for key in failed}


def _materialized_at(instance: dg.DagsterInstance, key: dg.AssetKey) -> datetime | None:
    newest = instance.get_latest_materialization_event(key)
    return datetime.fromtimestamp(newest.timestamp, UTC) if newest else None
