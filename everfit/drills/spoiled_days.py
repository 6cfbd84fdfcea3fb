"""Days whose feed is broken, between days that are right: they must be quarantined, and leave no trace in the next model."""

from collections.abc import Callable
from datetime import datetime

import polars as pl

from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.drills.catalogue import Announce, Order
from everfit.drills.guarantee_report import Report
from everfit.drills.live_model import DAY, LiveModel, Row, as_recorded, days_of, declared, go_live
from everfit.drills.models.drill import readings
from everfit.pipeline import manifests
from everfit.pipeline.manifests import TrainedModel, TrainingSet
from everfit.store import quarantines, requests

COLUMN = "measure_00"  # on which alone it depends what comes true
SPOILED_DAYS, DAYS_AFTER = 3, 3


def run_spoiled(drill: str, order: Order, announce: Announce, spoil: Callable[[Row], Row], did: str) -> Report:
    """Play days that are right, days that ``spoil`` breaks, and days that are right again; then train.

    The feed breaks for the requests and for the source alike; what comes true depends on what it should have said.
    """
    with go_live(order, declared([])) as live:
        days = days_of(order)
        live.play(as_recorded, days=days)
        announce(f"{days} days were right")
        live.spoil = spoil
        live.play(as_recorded, days=SPOILED_DAYS)
        live.spoil = dict
        announce(f"{SPOILED_DAYS} days were spoiled: {did}")
        live.play(as_recorded, days=DAYS_AFTER)
        concluded = live.retrain()
        announce(f"the gate: {concluded.reason}")
        spoiled = [live.model.go_live + (days + number) * DAY for number in range(SPOILED_DAYS)]
        return _report(drill, live, spoiled, f"{did} in {COLUMN} on {SPOILED_DAYS} days, and trained after {DAYS_AFTER} more")


def _report(drill: str, live: LiveModel, spoiled: list[datetime], did: str) -> Report:
    """What is quarantined, by the store, and what was trained on, by the newest training set's own rows."""
    with live.runtime.engine.connect() as connection:
        held = quarantines.of_model(connection, live.model.name)
        asked = [request for request in requests.of_model(connection, live.model.name) if request.cause != "person"]
    named = {(row.start, row.column) for row in held}
    trained, _ = manifests.newest(live.runtime, live.model, "trained_model", TrainedModel)
    rows = live.runtime.lake.get_frame(manifests.get(live.runtime.lake, trained.training_set, TrainingSet).rows_hash)
    broken = sum(rows.filter(pl.col(EVENT_TIME).is_between(day, day + DAY, closed="left")).height for day in spoiled)
    others = sorted({f"{row.start:%Y-%m-%d}" for row in held if row.start not in spoiled})
    wrong = [
        f"{column} of {day:%Y-%m-%d} is not quarantined"
        for day in spoiled
        for column in (COLUMN, f"{readings.name}.{COLUMN}")
        if (day, column) not in named
    ]
    wrong += [f"{broken} rows of the spoiled days are in the training set"] if broken else []
    wrong += [f"{len(asked)} retrainings were asked for"] if asked else []
    wrong += [f"{live.failed} of {live.asked} requests failed"] if live.failed else []
    wrong += [f"days that were right are quarantined: {', '.join(others)}"] if others else []
    told = [f"quarantined {row.start:%Y-%m-%d} {row.column}: {row.reason}" for row in held]
    counts = {"requests": live.asked, "failed": live.failed, "quarantined": len(held), "broken_rows": broken}
    return Report(drill, [did, *told], counts, wrong)
