"""A policy at forty costs on a span, read off at counts of retrainings, and held against timers and hindsight."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks._policy_records import Span
from everfit.declaration import Model
from everfit.declaration.model import RetrainingPolicy
from everfit.policy.gate_on_losses import GateOnLosses
from everfit.policy.play import play

COUNTS = range(2, 13)
COSTS = np.geomspace(0.002, 2, 40)  # as shares of the first month's loss
MONTH = 4  # windows
MOST = 24  # retrainings looked at

AtCost = Callable[[float], RetrainingPolicy]  # a policy for a cost in units of the metric times weeks


@dataclass(frozen=True, slots=True)
class Reached:
    """Mean losses at a count of retrainings that some costs reach: the policy's, the mean timer's and the best in hindsight."""

    record: str
    end: str
    count: int
    loss: float
    timer: float
    hindsight: float
    never: float
    weekly: float

    @property
    def wins(self) -> bool:
        """Whether the policy is below the mean timer."""
        return self.loss < self.timer

    @property
    def gain(self) -> float:
        """How far below, as a share of what weekly retraining gains."""
        return (self.timer - self.loss) / (self.never - self.weekly)

    @property
    def share(self) -> float:
        """Of what weekly retraining gains."""
        return (self.never - self.loss) / (self.never - self.weekly)

    @property
    def left(self) -> float:
        """The distance from hindsight, as a share of the mean timer's."""
        return (self.loss - self.hindsight) / (self.timer - self.hindsight)


def reached(model: Model, at_cost: AtCost, span: Span, *, gated: bool = False) -> Iterator[Reached]:
    """The counts from the least to the most that the costs reach; between two of them losses are interpolated.

    ``gated`` lets the model's gate judge what is asked for; counts are those of promotions.
    """
    losses, by_count = span.losses, dict[int, list[float]]()
    first_month = float(np.mean([losses.due_mean(0, window) for window in range(MONTH)]))
    for cost in COSTS * first_month:
        gate = GateOnLosses(model.gate, losses) if gated else None
        played = play(model.model_copy(update={"retraining": at_cost(float(cost))}), losses, gate=gate)
        by_count.setdefault(len(played.promotions), []).append(losses.mean_of(played.serving))
    counts = sorted(count for count in by_count if count <= MOST)
    if not counts:
        return
    never, weekly, hindsight = losses.mean([0]), losses.weekly, losses.hindsight(MOST)
    found = [float(np.mean(by_count[count])) for count in counts]
    for count in range(max(counts[0], 1), counts[-1] + 1):
        loss = float(np.interp(count, counts, found))
        yield Reached(span.record, span.end, count, loss, losses.timer(count), hindsight[count], never, weekly)


def figures(points: Sequence[Reached], retrainings: Mapping[str, int]) -> dict[str, float]:
    """The figures of a policy over all records that were played."""
    looked = [point for point in points if point.count in COUNTS]
    records = sorted({point.record for point in points})
    found = {"wins_share": float(np.mean([point.wins for point in looked]))}
    for name in records:
        found[f"{name}_share_{retrainings[name]}"] = gain_share(points, name, retrainings[name])
    found["distance_left"] = float(np.mean([np.mean([p.left for p in looked if p.record == name]) for name in records]))
    return found


def gain_share(points: Sequence[Reached], record: str, most: int) -> float:
    """The share of weekly's gain with at most so many retrainings: the best count's mean over the starts, at the worse end."""
    shares = dict[str, dict[int, list[float]]]()
    for point in points:
        if point.record == record and point.count <= most:
            shares.setdefault(point.end, {}).setdefault(point.count, []).append(point.share)
    return min((max(float(np.mean(each)) for each in counts.values()) for counts in shares.values()), default=float("nan"))


def by_record(points: Sequence[Reached]) -> dict[str, dict[str, float]]:
    """Of each record: its share of wins, the mean gain over timers, the distance left, and how many points they are of."""
    looked = [point for point in points if point.count in COUNTS]
    return {name: _summary([point for point in looked if point.record == name]) for name in {p.record: 0 for p in looked}}


def _summary(points: Sequence[Reached]) -> dict[str, float]:
    means = {name: float(np.mean([getattr(point, name) for point in points])) for name in ("wins", "gain", "share", "left")}
    return {name: round(value, 3) for name, value in means.items()} | {"points": len(points)}


def document(points: Sequence[Reached]) -> list[dict[str, float | str]]:
    """All points as they are printed."""
    return [asdict(point) for point in points]
