"""Store what is wrong now, and send the notices that are due.

An alert's row is written after the send, so that a crash in between repeats a notice rather than losing it. Which channels
have accepted a notice while another has not is known to the process alone: after a restart, or from another process, they may
get it once more.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from everfit.alerts.channels import Channels
from everfit.alerts.state import Findings, Notice, notices, updated
from everfit.store import alert_state
from everfit.timing import wall_clock


def notify(engine: sa.Engine, findings: Findings, channels: Channels) -> list[Notice]:
    """Store the alerts as the findings leave them, and send what is due; returns the notices that every channel has accepted.

    One process at a time: where another is at it, this pass leaves it to that one and to the next. What a channel raises is
    logged, and raises nothing here.
    """
    with engine.connect() as connection, alert_state.exclusive(connection) as mine:
        if not mine:
            return []
        now = wall_clock()
        before = alert_state.unfinished(connection, now)
        changed = updated(findings, before, alert_state.recorded_causes(connection, list(findings.events)), now)
        alert_state.save(connection, changed)
        current = {(alert.model, alert.cause): alert for alert in [*before, *changed]}
        opened = {(alert.model, alert.cause) for alert in before if alert.resolved_at is None}
        due = notices(list(current.values()), opened, now, channels.remind_after)
        connection.commit()
        return _send(connection, due, channels, now)


def _send(connection: sa.Connection, due: Sequence[Notice], channels: Channels, now: datetime) -> list[Notice]:
    """Each in a transaction of its own; a channel that does not accept one is not sent the rest before the next attempt."""
    sent: list[Notice] = []
    away: set[str] = set()
    for notice in due:
        missing = channels.send(notice, away)
        away |= missing
        after = replace(notice.alert, tried_at=now)
        if not missing:
            after = replace(after, last_sent_at=now, tried_at=None, count=after.count + 1)
            sent.append(notice)
        alert_state.save(connection, [after])
        connection.commit()
    return sent
