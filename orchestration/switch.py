"""The dead man's switch, a sensor of its own: it alerts where ``prediction_log`` does not tick or a champion grows too old."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState

from everfit.deployment import Deployment
from orchestration.automation import switched

if TYPE_CHECKING:
    from monitors.switch import Pulse

WATCHED = "prediction_log"
BEGAN = datetime.now(UTC)  # of this process: what has never ticked is waited for from here


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=switched(),
    description="Tells somebody when the loop itself has stopped, or nothing was promoted for the declared time of wall clock.",
)
def dead_mans_switch(context: dg.SensorEvaluationContext, everfit: dg.ResourceParam[Deployment]) -> dg.SkipReason:
    """Alert, and ask for a retraining where there is something new to learn; launches nothing itself."""
    from everfit.events import wall_clock
    from everfit.store.database import reachable
    from monitors import alerts, champions, switch

    failing = too_old(context.instance, everfit.models)
    with reachable(everfit.engine):
        with everfit.engine.begin() as connection:
            watched = switch.overdue(connection, everfit.models, failing)
            watched |= champions.look(connection, everfit.settings.mlflow, everfit.models)
        watched |= switch.stopped(pulse(context.instance), wall_clock(), switch.silence())
        alerts.tell(everfit.engine, watched, alerts.Channel.from_environment())
    return dg.SkipReason("; ".join(watched.holding.values()) or f"{WATCHED} ticks, and every champion is young enough")


def pulse(instance: dg.DagsterInstance) -> "Pulse":
    """How the sensor of the prediction log is."""
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus

    from monitors.switch import Pulse

    states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    state = next((state for state in states if state.instigator_name == WATCHED), None)
    if state is None:
        return Pulse(True, BEGAN)
    done = [TickStatus.SUCCESS, TickStatus.SKIPPED]
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1, statuses=done)
    last = datetime.fromtimestamp(ticks[0].timestamp, UTC) if ticks else BEGAN
    return Pulse(state.status != InstigatorStatus.STOPPED, last)


def too_old(instance: dg.DagsterInstance, names: Iterable[str]) -> Mapping[str, datetime | None]:
    """The models whose champion fails Dagster's freshness policy, and when each was last promoted."""
    keys = {dg.AssetKey([name, "champion"]): name for name in names}
    states = instance.get_freshness_state_records(list(keys))
    failed = [key for key, record in states.items() if record.freshness_state == FreshnessState.FAIL]
    return {keys[key]: _materialized_at(instance, key) for key in failed}


def _materialized_at(instance: dg.DagsterInstance, key: dg.AssetKey) -> datetime | None:
    newest = instance.get_latest_materialization_event(key)
    return datetime.fromtimestamp(newest.timestamp, UTC) if newest else None
