"""A model's past as a person on call reads it: the ledger, between its entries what was decided, and what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from everfit.store.decided_windows import DecidedWindow, Forecast

DECIDED = {"none": "quiet", "wait": "waits", "retrain": "asks"}
TIME = "%Y-%m-%d %H:%M"


def told_history(
    entries: Sequence[Mapping[str, Any]], decided: Sequence[DecidedWindow], forecasts: Mapping[int, Forecast]
) -> Iterator[str]:
    """Lines by the model's clock: windows that were decided alike one after the other are one line, with the newest's reason.

    Args:
        entries: of the ledger, in the order in which they were written.
        decided: oldest first.
        forecasts: by promoted version.
    """
    lines: list[tuple[datetime, int, list[str]]] = []
    for place, entry in enumerate(entries):
        lines.append((entry["event_time"], place + 1, [_entry(entry), *_came(entry, forecasts)]))
    for end, line in _stretches(decided, [entry["event_time"] for entry in entries]):
        lines.append((end, 0, [line]))
    for _, _, told in sorted(lines, key=lambda line: line[:2]):
        yield from told


def champion_change(before: int | None, after: int | None) -> str:
    """The champion before and after, in words."""
    if after is None:
        return "none" if before is None else f"{before} stays"
    return f"{before or 'none'} → {after}"


def _entry(entry: Mapping[str, Any]) -> str:
    versions = champion_change(entry["from_version"], entry["to_version"])
    return f"{entry['event_time']:{TIME}}  {entry['action']:<12} {versions:<8} {entry['cause']}: {entry['reason']}"


def _came(entry: Mapping[str, Any], forecasts: Mapping[int, Forecast]) -> list[str]:
    """The forecast of a promotion beside what came of it."""
    forecast = forecasts.get(entry["to_version"]) if entry["action"] == "promoted" else None
    if forecast is None or forecast.expected is None:
        return []
    came = "no day has shown it yet"
    if forecast.measured is not None:
        came = f"{forecast.measured:+.4f} measured beside the champion before it, on {forecast.days} days"
    return [f"{'':18}{'':12} {'':8} gain a row: {forecast.expected:+.4f} expected by the newest regret; {came}"]


def _stretches(decided: Sequence[DecidedWindow], moments: Sequence[datetime]) -> Iterator[tuple[datetime, str]]:
    """The end of each stretch and its line; what the ledger holds in between ends one."""

    def alike(window: DecidedWindow) -> tuple[Any, ...]:
        asked = window.at if window.action == "retrain" else None
        return window.champion, window.action, window.cause, asked, sum(moment < window.at for moment in moments)

    for _, group in groupby(decided, key=alike):
        windows = list(group)
        first, newest = windows[0], windows[-1]
        since = f"{len(windows)} windows since {first.at:%Y-%m-%d}; the newest: " if len(windows) > 1 else ""
        cause = f"{newest.cause}: " if newest.cause else ""
        versions = champion_change(newest.champion, None)
        yield newest.at, f"{newest.at:{TIME}}  {DECIDED[newest.action]:<12} {versions:<8} {since}{cause}{newest.reason}"
