"""The plan of a backfill: which runs bring a model's days up to date, and the order of its days. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from everfit.pipeline.lineage import Outdated

DAILY = ("raw_data", "features")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run: these assets, for consecutive days in the orchestrator's order."""

    assets: tuple[str, ...]
    days: tuple[str, ...]

    def __str__(self) -> str:
        span = self.days[0] if len(self.days) == 1 else f"{self.days[0]} to {self.days[-1]} ({len(self.days)} days)"
        return f"{' and '.join(self.assets)} of {span}"


def plan(needs: Outdated, order: Sequence[str], *, days_per_run: int, assets: Sequence[str] = DAILY) -> list[Chunk]:
    """Divide the days that are out of date into runs that make exactly these.

    Args:
        needs: the days to make, by asset.
        order: all days in the orchestrator's order, of which a run's days are a range.
        days_per_run: the largest number of days of a run.
        assets: the requested assets; features always cut the raw data they look back on.
    """
    wanted = [(position, _assets(needs, day, assets)) for position, day in enumerate(order)]
    due = [(position, made) for position, made in wanted if made]
    chunks = []
    for (_, made), alike in groupby(
        enumerate(due), key=lambda pair: (pair[1][0] - pair[0], pair[1][1])
    ):  # gaps change the first
        days = tuple(order[position] for _, (position, _) in alike)
        chunks += [Chunk(made, days[n : n + days_per_run]) for n in range(0, len(days), days_per_run)]
    return chunks


def _assets(needs: Outdated, day: str, wanted: Sequence[str]) -> tuple[str, ...]:
    made = {"raw_data": needs.raw_data, "features": needs.features}
    return tuple(asset for asset in DAILY if asset in wanted and day in made[asset])


@dataclass(frozen=True, slots=True)
class Reordered:
    """The days to remove from an orchestrator's list and to append to it, so that it is in the order of time."""

    remove: list[str]
    add: list[str]


def reorder(listed: Sequence[str], days: Sequence[str]) -> Reordered:
    """The change that adds ``days`` to a list that only grows at its end, so that its ranges are ranges of time."""
    new = sorted(set(days) - set(listed))
    later = [day for day in listed if new and day > new[0]]
    return Reordered(later, sorted(new + later))
