"""Backfills: bring a model's days up to date by runs of Dagster, and wait for them. A repeated call resumes."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date, datetime

import msgspec

from everfit.dagster_api.names import days_name
from everfit.dagster_api.runs import ENDED, AssetDays, Orchestrator
from everfit.declaration import Model
from everfit.errors import BackfillError
from everfit.features.spans import DAY
from everfit.pipeline.backfill_plan import DAILY, Chunk, plan, reorder
from everfit.pipeline.daily_partitions import available_days
from everfit.pipeline.day_isolation import failing_days
from everfit.pipeline.horizon import horizon
from everfit.pipeline.lineage import Outdated, outdated
from everfit.runtime import Runtime
from everfit.store.database import reachable
from everfit.store.declarations import require_unchanged
from everfit.timing import format_time, midnight
from everfit.waiting import wait_until

TAG = "everfit/backfill"
PRIORITY = "-10"  # after retrainings, and after what a person launches
STALL_SECONDS = 900.0  # a run's state changes only at its start and its end


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a backfill and its result; ``first`` and ``last`` are days, both included."""

    run_id: str
    assets: list[str]
    first: str
    last: str
    days: int
    status: str


class Backfilled(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a backfill: ``days`` is the number requested, ``up_to_date`` of them needed no run, and those in
    ``set_aside`` could not be made, each with its reason."""

    model: str
    days: int
    up_to_date: int
    runs: list[Run]
    set_aside: dict[str, str] = {}

    @property
    def succeeded(self) -> bool:
        """Whether every run succeeded and every day was made."""
        return all(run.status == "SUCCESS" for run in self.runs) and not self.set_aside


def tags(model: Model, chunk: Chunk) -> dict[str, str]:
    """The tags of a run: the backfill it belongs to, and its range of days."""
    span = {"dagster/asset_partition_range_start": chunk.days[0], "dagster/asset_partition_range_end": chunk.days[-1]}
    return {TAG: model.name, "dagster/priority": PRIORITY, "dagster/defer_asset_events": "true", **span}


def backfill(
    runtime: Runtime,
    model: Model,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    assets: Sequence[str] = DAILY,
    announce: Callable[[str], None],
) -> Backfilled:
    """Make the days of ``[start, end)`` that are out of date, or that are not materialized in Dagster.

    Args:
        runtime: of the deployment.
        model: the model.
        start: the first day; by default the first that landed.
        end: the day after the last; by default the model's clock.
        assets: of ``raw_data`` and ``features``.
        announce: receives a line for each change.

    Raises:
        DeclarationError: when the declaration has changed where it may not.
        BackfillError: when an asset is unknown, or the range holds no day or reaches past the clock.
        ServiceError: when Dagster or Postgres does not answer, or there is no progress.
    """
    with reachable(runtime.engine):
        days = _requested_days(runtime, model, start, end, assets)
    with closing(Orchestrator(runtime.settings.dagster)) as orchestrator:
        _await(orchestrator, dict.fromkeys(orchestrator.in_flight({TAG: model.name}), "an earlier backfill"), announce)
        asset_days = _asset_days(orchestrator, runtime, model)
        needs = _needs(outdated(runtime, model), asset_days, days)
        chunks = plan(needs, asset_days["features"].days, days_per_run=model.backfill.days_per_run, assets=assets)
        made = {day for chunk in chunks for day in chunk.days}
        announce(
            f"{model.name}: {len(days)} days, {len(days) - len(made)} up to date, {len(made)} to be made in {len(chunks)} runs"
        )
        launched = {_launch(orchestrator, model, chunk): chunk for chunk in chunks}
        ended = _await(orchestrator, {run: str(chunk) for run, chunk in launched.items()}, announce)
    runs = [_run(run, chunk, ended[run]) for run, chunk in launched.items()]
    with reachable(runtime.engine), runtime.engine.connect() as connection:
        failing = {day: why for day, why in failing_days(connection, model).items() if day in made}
    for day, why in failing.items():
        announce(f"not made: {day}: {why}")
    return Backfilled(model=model.name, days=len(days), up_to_date=len(days) - len(made), runs=runs, set_aside=failing)


def _run(run_id: str, chunk: Chunk, status: str) -> Run:
    return Run(
        run_id=run_id,
        assets=list(chunk.assets),
        first=chunk.days[0],
        last=chunk.days[-1],
        days=len(chunk.days),
        status=status,
    )


def _requested_days(
    runtime: Runtime, model: Model, start: datetime | None, end: datetime | None, assets: Sequence[str]
) -> list[str]:
    """The landed days of the range."""
    for asset in assets:
        if asset not in DAILY:
            raise BackfillError(f"no daily asset {asset!r}; a backfill makes {' and '.join(DAILY)}")
    with runtime.engine.begin() as connection:
        require_unchanged(connection, model)
        clock = midnight(horizon(connection, model))
    if end and end > clock:
        raise BackfillError(
            f"--to {format_time(end)} lies beyond the clock of {model.name}: days are whole before {format_time(clock)}; "
            "choose an earlier day, or leave --to out"
        )
    first, last = start or midnight(date.min), end or clock
    if first >= last:
        raise BackfillError(f"the range from {format_time(first)} to {format_time(last)} holds no day; --to is exclusive")
    days = [day for day in available_days(runtime, model) if first <= midnight(day) and midnight(day) + DAY <= last]
    if not days:
        raise BackfillError(f"{model.name}: nothing has landed in the range; publish its sources, or choose other days")
    return days


def _asset_days(orchestrator: Orchestrator, runtime: Runtime, model: Model) -> dict[str, AssetDays]:
    """Dagster's partitions of the daily assets, after adding missing days."""
    asset_days = orchestrator.asset_days(model.name, DAILY)
    change = reorder(asset_days["features"].days, available_days(runtime, model))
    if not change.add:
        return asset_days
    orchestrator.change_days(days_name(model.name), change.remove, change.add)
    return orchestrator.asset_days(model.name, DAILY)


def _needs(stale: Outdated, asset_days: dict[str, AssetDays], days: Sequence[str]) -> Outdated:
    """Of these days those out of date, and those that were made by a run which ended before it reported them."""
    unreported = {asset: {day: "not reported" for day in days if day not in asset_days[asset].made} for asset in DAILY}
    return Outdated(
        unreported["raw_data"] | {day: reason for day, reason in stale.raw_data.items() if day in days},
        unreported["features"] | {day: reason for day, reason in stale.features.items() if day in days},
    )


def _launch(orchestrator: Orchestrator, model: Model, chunk: Chunk) -> str:
    assets = [[model.name, asset] for asset in chunk.assets]
    return orchestrator.launch(assets, tags(model, chunk))


def _await(orchestrator: Orchestrator, runs: dict[str, str], announce: Callable[[str], None]) -> dict[str, str]:
    """Wait until all runs have ended, announcing each change; returns their statuses."""
    statuses: dict[str, str] = {}

    def read() -> dict[str, str]:
        current = orchestrator.statuses(list(runs)) if runs else {}
        for run, status in current.items():
            if statuses.get(run) != status:
                announce(f"{status.lower():<9} {runs[run]}, run {run[:8]}")
        statuses.update(current)
        return current

    waited = "the backfill's runs; is Dagster's daemon alive?"
    return wait_until(read, lambda current: set(current.values()) <= ENDED, waited, stall_seconds=STALL_SECONDS)
