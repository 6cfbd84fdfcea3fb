"""How fast the prediction log is read into Postgres, beside what the parts can do at most and beside other ways of doing it.

Run: ``make bench-setup``, then ``python benchmarks/ingest.py [--json]``. One topic of 500,000 predictions of 15 features on the
embedded broker, the embedded Postgres, each contestant in a process of its own and on a database of its own. The slow ones read
the first part of the topic only. Everything that is compared is measured in turns, and the median of the rounds is told.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
from collections.abc import Callable
from itertools import count as numbers

from ingestion import contestants
from ingestion.contestants import Measured
from ingestion.events import fill

from everfit.drills.test_bed import TestBed, open_test_bed
from everfit.store.database import create_engine, migrate

EVENTS = 500_000
FEW, MANY = 100_000, 2_000_000  # events over which the peak of memory is held
ROUNDS = 3
COUNTS: dict[Callable[[str, str, int], Measured], int] = {
    contestants.poll_loop: EVENTS,
    contestants.everfit: EVENTS,
    contestants.bare_copy: EVENTS,
    contestants.executemany: EVENTS // 5,
}
SLOW = {contestants.quix: 40_000, contestants.plain: 40_000}

_databases = numbers()


def measure(bed: TestBed, contestant: Callable[[str, str, int], Measured], count: int) -> Measured:
    """Run one in a process and on a database of its own; it is told on stderr."""
    name = f"bench_{next(_databases)}"
    bed.postgres.create_databases([name])
    url = bed.postgres.url(name)
    engine = create_engine(url)
    migrate(engine)
    engine.dispose()
    with multiprocessing.get_context("spawn").Pool(1) as process:
        seconds, peak = process.apply(contestant, (bed.kafka, url, count))
    told = f"{contestant.__name__:<12} {count:>9,} events {seconds:>7.1f} s {count / seconds:>9,.0f} a second"
    print(told, f"{peak / 2**20:>6.0f} MB", file=sys.stderr)
    return seconds, peak


def rates() -> dict[str, list[float]]:
    """Events a second of each contestant, one a round."""
    found: dict[str, list[float]] = {}
    with open_test_bed("embedded") as bed:
        fill(bed.kafka, EVENTS)
        for turn in range(ROUNDS):
            for contestant, count in (COUNTS | (SLOW if turn == 0 else {})).items():
                found.setdefault(contestant.__name__, []).append(count / measure(bed, contestant, count)[0])
    return found


def peak(count: int) -> int:
    """Bytes that everfit's process held at most while it read so many."""
    with open_test_bed("embedded") as bed:
        fill(bed.kafka, count)
        return int(measure(bed, contestants.everfit, count)[1])


def figures() -> dict[str, float]:
    """The ratios that are held against their bounds, and what they were made of."""
    found = rates()
    limits = zip(found["everfit"], found["poll_loop"], found["bare_copy"], strict=True)
    middle = {name: statistics.median(of) for name, of in found.items()}
    few, many = peak(FEW), peak(MANY)
    return {
        "versus_limit": statistics.median(ours / min(0.4 * loop, 0.6 * copy) for ours, loop, copy in limits),
        "versus_quix": middle["everfit"] / middle["quix"],
        "versus_plain": middle["everfit"] / middle["plain"],
        "versus_executemany": statistics.median(map(float.__truediv__, found["everfit"], found["executemany"])),
        "memory_ratio": many / few,
        **{f"{name}_per_second": rate for name, rate in middle.items()},
        "memory_mb": many / 2**20,
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    asked = parser.parse_args()
    found = {name: round(value, 3) for name, value in figures().items()}
    if asked.json:
        print(json.dumps({"figures": found}))
        return
    for name, value in found.items():
        print(f"{name:<24} {value:>12,.2f}")


if __name__ == "__main__":
    main()
