"""What is wrong with the prediction log, as Postgres knows it: whoever read it, a sensor's pass or `everfit ingest`.

A gap is a cause for as long as another may follow: its partition is told of once, again while it goes on losing records, and
is over after a day without. A log that began again is an event, told once a log. Reading that falls behind and does not
catch up is told by partition: no window closes until all is read.
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

NEWEST_RECORDS = 1_000  # of each partition: what a share of dead letters is taken of
LEAST_RECORDS = 20  # fewer say nothing of a share
GAP_HOLDS = timedelta(days=1)


def dead_letter_budget(environ: Mapping[str, str] = os.environ) -> float:
    """Which share of a topic's newest records may be dead letters: ``EVERFIT_ALERT_DEAD_LETTERS``, or 5 %.

    Raises:
        SettingsError: when it is no percentage.
    """
    share: float = setting("EVERFIT_ALERT_DEAD_LETTERS", "5%", environ)
    return share


def patience(environ: Mapping[str, str] = os.environ) -> timedelta:
    """For how long the lag of a partition may stay as high as it is: ``EVERFIT_ALERT_LAG``, or ten minutes.

    Raises:
        SettingsError: when it is no duration.
    """
    lag: timedelta = setting("EVERFIT_ALERT_LAG", "10m", environ)
    return lag


def lag_causes(lagging: Iterable[Lagging], now: datetime, allowed: timedelta) -> Findings:
    """The partitions whose lag has not fallen for longer than is allowed."""
    held = [one for one in lagging if now - one.since > allowed]
    return Findings({"lag"}, {("", f"lag:{one.topic}:{one.partition}"): _lag(one) for one in held}, {})


def _lag(one: Lagging) -> str:
    behind = f"reading {one.topic}, partition {one.partition}, is {one.records:,} records behind"
    told = f"{behind}, and since {format_time(one.since)} it was never fewer than {one.lowest:,}"
    todo = "run `everfit ingest`, or more members of it, one a partition at most; `everfit status` shows the lag"
    return f"{told}: no window closes until all is read; {todo}"


def look(connection: sa.Connection, budget: float) -> Findings:
    """Gaps, logs that began again, and dead letters beyond the budget."""
    gaps = gap_causes(log_state.deleted(connection, GAP_HOLDS))
    restarts = restart_causes(log_state.restarted(connection))
    return Findings({"gap"}, gaps, restarts) | dead_letter_causes(log_state.rejected(connection, NEWEST_RECORDS), budget)


def gap_causes(deleted: Iterable[Deleted]) -> dict[tuple[str, str], str]:
    """A cause for each partition of a log that lost records."""
    return {("", f"gap:{one.topic}:{one.partition}:{one.log_id}"): _gap(one) for one in deleted}


def _gap(one: Deleted) -> str:
    where = f"offsets {one.first} to {one.next - 1}" + (f", {one.gaps} gaps in a day" if one.gaps > 1 else "")
    lost = f"{one.records:,} records of {one.topic}, partition {one.partition} ({where}) were deleted before they were read"
    todo = "lengthen the topic's retention or read faster with `everfit ingest`; send them again if you still have them"
    return f"{lost}; {todo}"


def restart_causes(restarted: Iterable[Restarted]) -> dict[tuple[str, str], str]:
    """An event for each log that began again."""
    return {("", f"log:{one.topic}:{one.log_id}:{one.times}"): _restart(one) for one in restarted}


def _restart(one: Restarted) -> str:
    several = "s" if len(one.partitions) > 1 else ""
    began = f"the log of {one.topic} began again, partition{several} {', '.join(map(str, one.partitions))}"
    todo = "what was not read of the log before is gone: send it again if you still have it, twice changes nothing"
    return f"{began}; it is read from its beginning, rows stay single; {todo}"


def dead_letter_causes(rejected: Iterable[Rejected], budget: float) -> Findings:
    """The topics whose dead letters are beyond the budget.

    One that was told is over at half of the budget: between the two it stays as it is, so that it does not flicker.
    """
    families, ongoing = set(), {}
    for one in rejected:
        cause, share = f"dead letters of {one.topic}", one.dead / max(one.records, 1)
        if one.records < LEAST_RECORDS or budget / 2 < share <= budget:
            continue
        families.add(cause)
        if share > budget:
            ongoing["", cause] = _dead_letters(one, budget)
    return Findings(families, ongoing, {})


def _dead_letters(one: Rejected, budget: float) -> str:
    told = f"{one.dead:,} of the newest {one.records:,} records of {one.topic} could not be used, more than {100 * budget:g}%"
    todo = f"`everfit dead-letters list --topic {one.topic}` says why; when it is mended, `everfit dead-letters redrive --all`"
    return f"{told}; {todo}"
