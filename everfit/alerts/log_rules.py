"""Alert rules for the prediction log, from what Postgres records of its reading, by the sensor or by `everfit ingest`.

A gap in a partition is an alert for a day, repeated while the partition loses further records. A log that restarted is an
event, reported once per log. Reading that falls behind and does not catch up is an alert per partition: no window closes until
everything is read.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from everfit.alerts.state import Findings
from everfit.environment.variables import setting
from everfit.store import log_state
from everfit.store.log_state import Deleted, Lagging, Rejected, Restarted
from everfit.timing import format_time

NEWEST_RECORDS = 1_000  # of each partition, among which the share of dead letters is computed
LEAST_RECORDS = 20  # fewer do not show a share
GAP_HOLDS = timedelta(days=1)


def dead_letter_budget(environ: Mapping[str, str] = os.environ) -> float:
    """The share of a topic's newest records that may be dead letters: ``EVERFIT_ALERT_DEAD_LETTERS``, or 5 %.

    Raises:
        SettingsError: when it is not a percentage.
    """
    share: float = setting("EVERFIT_ALERT_DEAD_LETTERS", "5%", environ)
    return share


def patience(environ: Mapping[str, str] = os.environ) -> timedelta:
    """For how long the lag of a partition may fail to decrease: ``EVERFIT_ALERT_LAG``, or ten minutes.

    Raises:
        SettingsError: when it is not a duration.
    """
    lag: timedelta = setting("EVERFIT_ALERT_LAG", "10m", environ)
    return lag


def lag_causes(lagging: Iterable[Lagging], now: datetime, allowed: timedelta) -> Findings:
    """The partitions whose lag has not decreased for longer than allowed."""
    late = [lag for lag in lagging if now - lag.since > allowed]
    return Findings({"lag"}, {("", f"lag:{lag.topic}:{lag.partition}"): _lag(lag) for lag in late}, {})


def _lag(lag: Lagging) -> str:
    behind = f"reading {lag.topic}, partition {lag.partition}, is {lag.records:,} records behind"
    lowest = f"since {format_time(lag.since)} it was never fewer than {lag.lowest:,}"
    todo = "run `everfit ingest`, or more members of it, at most one per partition; `everfit status` shows the lag"
    return f"{behind}, and {lowest}: no window closes until all is read; {todo}"


def look(connection: sa.Connection, budget: float) -> Findings:
    """Gaps, logs that restarted, and dead letters beyond the budget."""
    gaps = gap_causes(log_state.deleted(connection, GAP_HOLDS))
    restarts = restart_causes(log_state.restarted(connection))
    return Findings({"gap"}, gaps, restarts) | dead_letter_causes(log_state.rejected(connection, NEWEST_RECORDS), budget)


def gap_causes(deleted: Iterable[Deleted]) -> dict[tuple[str, str], str]:
    """A cause for each partition of a log that lost records."""
    return {("", f"gap:{gap.topic}:{gap.partition}:{gap.log_id}"): _gap(gap) for gap in deleted}


def _gap(gap: Deleted) -> str:
    where = f"offsets {gap.first} to {gap.next - 1}" + (f", {gap.gaps} gaps in a day" if gap.gaps > 1 else "")
    lost = f"{gap.records:,} records of {gap.topic}, partition {gap.partition} ({where}) were deleted before they were read"
    todo = "lengthen the topic's retention or read faster with `everfit ingest`; send them again if you still have them"
    return f"{lost}; {todo}"


def restart_causes(restarted: Iterable[Restarted]) -> dict[tuple[str, str], str]:
    """An event for each log that restarted."""
    return {("", f"log:{log.topic}:{log.log_id}:{log.times}"): _restart(log) for log in restarted}


def _restart(log: Restarted) -> str:
    several = "s" if len(log.partitions) > 1 else ""
    what = f"the log of {log.topic} restarted, partition{several} {', '.join(map(str, log.partitions))}"
    todo = "records of the former log that were not read are lost: send them again if you still have them; repeats are ignored"
    return f"{what}; it is read from its beginning, and no row is stored twice; {todo}"


def dead_letter_causes(rejected: Iterable[Rejected], budget: float) -> Findings:
    """The topics whose dead letters are beyond the budget.

    An alert ends at half of the budget: between the two its state does not change, so that it does not flicker.
    """
    families, ongoing = set(), {}
    for log in rejected:
        cause, share = f"dead letters of {log.topic}", log.dead / max(log.records, 1)
        if log.records < LEAST_RECORDS or budget / 2 < share <= budget:
            continue
        families.add(cause)
        if share > budget:
            ongoing["", cause] = _dead_letters(log, budget)
    return Findings(families, ongoing, {})


def _dead_letters(log: Rejected, budget: float) -> str:
    what = f"{log.dead:,} of the newest {log.records:,} records of {log.topic} could not be used, more than {100 * budget:g}%"
    todo = f"`everfit dead-letters list --topic {log.topic}` says why; when it is mended, `everfit dead-letters redrive --all`"
    return f"{what}; {todo}"
