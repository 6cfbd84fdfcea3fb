"""Episodes of alarms: a change that evidence shows is open from enough windows that alarm to enough that are quiet."""

from collections.abc import Sequence
from datetime import datetime

from everfit.declaration import Model
from everfit.declaration.retraining import FRESHNESS, Finding
from everfit.evidence.kinds import kinds


def changes() -> list[str]:
    """The kinds of evidence that say that the world has changed, in their order."""
    return [kind.name for kind in kinds().values() if kind.triggers == "retraining" and kind.name != FRESHNESS]


def open_episode(model: Model, findings: Sequence[Finding], at: datetime) -> list[Finding]:
    """The alarms of the episode that is open at ``at``, oldest first; empty where none is.

    An episode opens when ``agree`` of the last ``of`` windows alarm, and ends when ``of`` in a row are quiet.
    """
    of_change = changes()
    alarms: dict[datetime, list[Finding]] = {}
    for finding in findings:
        if finding.kind in of_change and finding.end <= at and finding.verdict != "insufficient":
            alarms.setdefault(finding.end, []).extend([finding] if finding.verdict == "alarm" else [])
    opened: list[Finding] = []
    recent: list[list[Finding]] = []
    is_open = False
    for end in sorted(alarms):
        recent = [*recent, alarms[end]][-model.drift.of :]
        alarmed = [window for window in recent if window]
        if is_open:
            opened += alarms[end]
            is_open = bool(alarmed) or len(recent) < model.drift.of
        elif len(alarmed) >= model.drift.agree:
            opened, is_open = [finding for window in alarmed for finding in window], True
    return opened if is_open else []


def cause_of(episode: Sequence[Finding]) -> str | None:
    """The kind of evidence that an open episode is recorded as; None where none is open."""
    return next((kind for kind in changes() if any(finding.kind == kind for finding in episode)), None)
