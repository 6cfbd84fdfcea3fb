"""The verdicts on the event days of a window, taken together as its quality: each was judged when the day was over."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from everfit.evidence import Evidence, Verdict

REQUESTS, LABELS, SOURCE = "requests", "labels", "source "  # what a day's verdict is about; a source's name follows


class DayVerdict(NamedTuple):
    """Whether a day is broken; ``subject``: its requests, their labels or a source, ``version``: whose profile judged it."""

    day: datetime
    subject: str
    version: int
    verdict: Verdict
    reason: str
    detail: Mapping[str, Any]

    @property
    def prefix(self) -> str:
        """What stands before the names of a source's columns."""
        return f"{self.subject.removeprefix(SOURCE)}." if self.subject.startswith(SOURCE) else ""

    @property
    def kinds(self) -> dict[str, list[str]]:
        """The kinds of break by column, as :attr:`by_column` names them."""
        found: dict[str, list[str]] = {}
        for fault in self.detail.get("breaks", []):
            found.setdefault(f"{self.prefix}{fault['column']}", []).append(fault["kind"])
        return found

    @property
    def by_column(self) -> dict[str, str]:
        """What is broken, each with its reason: columns of the model, those of a source after its name, or ``*`` for rows."""
        broken = self.detail.get("by_column", {}) if self.verdict == "alarm" else {}
        return {f"{self.prefix}{column}": why for column, why in broken.items()}


def together(days: Sequence[DayVerdict]) -> Evidence | None:
    """The window's quality; None where no day could be judged. ``days`` in its detail are those that are quarantined by it."""
    judged = [day for day in days if day.verdict != "insufficient"]
    if not judged:
        return None
    broken = [day for day in judged if day.verdict == "alarm"]
    rows = sum(int(day.detail.get("rows", 0)) for day in judged if day.subject == REQUESTS)
    told = [f"{day.day:%Y-%m-%d}: {day.reason}" for day in broken]
    untold = [f"{day.day:%Y-%m-%d} {day.reason}" for day in days if "unjudged" in day.detail]
    number = len({day.day for day in judged})
    quiet = f"nothing broken on {number} {'day' if number == 1 else 'days'} of {rows} rows"
    return Evidence(
        verdict="alarm" if broken else "ok",
        statistic=float(len({day.day for day in broken})),
        threshold=1.0,
        reason="; ".join([*(told or [quiet]), *untold]),
        detail={"rows": rows, "breaks": told, "days": sorted({f"{day.day:%Y-%m-%d}" for day in broken})},
    )
