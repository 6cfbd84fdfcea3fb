"""All drills by name, with their default sizes. A drill's module is imported when it is run."""

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everfit.errors import DrillError
from everfit.stack.supervisor import BrokerKind

if TYPE_CHECKING:
    from everfit.drills.guarantee_report import Report

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """The size of a drill, its broker, and the seed of its events and moments."""

    events: int
    kills: int
    broker: BrokerKind = "embedded"
    seed: int = 0

    @property
    def random(self) -> random.Random:
        """The generator of its moments."""
        return random.Random(self.seed)  # noqa: S311  # not for secrets: a drill repeats with its seed


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill. ``kafka_only`` where it needs a broker that keeps its log when it stops, which the wheel's does not."""

    name: str
    what: str
    events: int
    kills: int
    kafka_only: bool = False

    def run(self, order: Order, announce: Announce) -> "Report":
        """Run it; ``announce`` receives lines of progress.

        Raises:
            DrillError: when it cannot run here, with the reason.
            StackError: when Postgres or the broker cannot be started.
        """
        if self.kafka_only and order.broker != "kafka":
            raise DrillError(f"the drill {self.name} needs a broker that keeps its log: run it with --broker kafka")
        report: Report = importlib.import_module(f"everfit.drills.{self.name.replace('-', '_')}").run(order, announce)
        return report


_ALL = [
    Drill("consumer-kill", "kill -9 of the consumer at drawn moments while events flow", 200_000, 100),
    Drill("poison", "one record in twenty that cannot be used, repeats, late and unordered events", 50_000, 0),
    Drill("postgres-restart", "Postgres stopped and started while events flow, cleanly and as in a crash", 50_000, 10),
    Drill("disk-full", "the disk that Postgres writes to is full, and freed (needs root)", 100_000, 3),
    Drill("tick-cut", "passes cut off while they read, judge and decide", 20_000, 30),
    Drill("launch-kill", "kill -9 of Dagster's daemon or code server between a request and its run", 0, 20),
    Drill("bad-labels", "labels flipped in 30 % of the newest rows, those of the gate's days, too", 1_008, 0),
    Drill("bad-promotion", "a challenger that passes the backtest and fails live", 672, 0),
    Drill("bad-canary", "kill -9 of a canary's process while it answers half of the requests", 672, 0),
    Drill("broken-feed", "a column that says the same for three days", 672, 0),
    Drill("unit-change", "a column in another unit for three days", 672, 0),
    Drill("broker-restart", "kill -9 of the broker while events are sent and read", 50_000, 5, kafka_only=True),
    Drill("topic-remade", "topics deleted and made again under the consumer", 20_000, 5, kafka_only=True),
]
DRILLS = {drill.name: drill for drill in _ALL}


def find_drill(name: str) -> Drill:
    """The drill of that name.

    Raises:
        DrillError: when there is none; the message lists the drills.
    """
    if name not in DRILLS:
        raise DrillError(f"no drill {name!r}; there are {', '.join(DRILLS)}")
    return DRILLS[name]
