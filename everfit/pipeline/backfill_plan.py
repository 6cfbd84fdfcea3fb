"""Which runs bring a model's days up to date, and in which order an orchestrator holds the days. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from everfit.pipeline.lineage import Outdated

DAILY = ("raw_data", "features")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One run: these assets, for days that follow each other in the orchestrator's order."""

    assets: tuple[str, ...]
    days: tuple[str, ...]

    def __str__(self) -> str:
        span = self.days[0] if len(self.days) == 1 else f"{self.days[0]} to {self.days[-1]} ({len(self.days)} days)"
        return f"{' and '.join(self.assets)} of {span}"


def plan(needs: Outdated, order: Sequence[str], *, days_per_run: int, assets: Sequence[str] = DAILY) -> list[Chunk]:
    """Cut what is out of date into runs that make exactly that.

    Args:
        needs: the days to be made, by asset.
        order: all days in the order that the orchestrator holds them: a run's range is one there.
        days_per_run: the most days of a run.
        assets: those that are wanted; features cut the raw data they look back on, wanted or not.
    """
    wanted = [(place, _assets(needs, day, assets)) for place, day in enumerate(order)]
    due = [(place, made) for place, made in wanted if made]
    chunks = []
    for (_, made), alike in groupby(enumerate(due), key=lambda one: (one[1][0] - one[0], one[1][1])):  # gaps change the first
        days = tuple(order[place] for _, (place, _) in alike)
        chunks += [Chunk(made, days[n : n + days_per_run]) for n in range(0, len(days), days_per_run)]
    return chunks


def _assets(needs: Outdated, day: str, wanted: Sequence[str]) -> tuple[str, ...]:
    made = {"raw_data": needs.raw_data, "features": needs.features}
    return tuple(asset for asset in DAILY if asset in wanted and day in made[asset])


@dataclass(frozen=True, slots=True)
class Reordered:
    """What to take out of an orchestrator's list of days and to put at its end, so that it stays in the order of time."""

    remove: list[str]
    add: list[str]


def keep_order(listed: Sequence[str], days: Sequence[str]) -> Reordered:
    """What brings a list that only grows at its end to ``days`` besides what it holds: a range in it is then one in time."""
    new = sorted(set(days) - set(listed))
    later = [day for day in listed if new and day > new[0]]
    return Reordered(later, sorted(new + later))
