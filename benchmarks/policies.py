"""When to retrain: the default policy against timers of equal count and against hindsight, on five public records.

Run: ``python benchmarks/policies.py [--json] [--record NAME] [--cache FOLDER] [--picture FILE]``; about half an hour on two
cores, nearly all of it fits. ``--record`` takes one record and answers in minutes; ``--cache`` keeps what fits were worth.
Weekly models of the declared recipe are fitted once for a record, with one thread each, and the policy is played over what they
lost: ungated for the figures, and through the declared gate beside them.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._policy_counts import Reached, by_record, document, figures, reached
from benchmarks._policy_picture import draw
from benchmarks._policy_records import RECORDS, spans
from benchmarks._policy_shuffled import retrainings_a_year
from everfit.policy.regret import Regret
from everfit.store.fit_cache import FitCache

SEED = 0
RETRAININGS: Mapping[str, int] = {name: record.retrainings for name, record in RECORDS.items()}


def points_of(name: str, cache: FitCache | None) -> tuple[list[Reached], list[Reached]]:
    """All counts that the default policy reaches on a record, at three starts and two ends; ungated, and through the gate."""
    model, found = RECORDS[name].declared(), spans(name, cache, told=_told)
    ungated, gated = (
        [point for span in found for point in reached(model, lambda cost: Regret(cost=cost), span, gated=through)]
        for through in (False, True)
    )
    return ungated, gated


def _told(done: int, of: int) -> None:
    if done == of or done % 25 == 0:
        print(f"{done} of {of} weekly models", file=sys.stderr)


def as_lines(measured: Mapping[str, float], points: Sequence[Reached], gated: Sequence[Reached]) -> str:
    """The figures, and the tables of the records without and with the gate, as plain lines."""
    lines = [f"{name:<24} {value:>7.3f}" for name, value in measured.items()]
    for title, table in (("ungated", by_record(points)), ("through the gate", by_record(gated))):
        for name, row in table.items():
            lines.append(f"{title:<18}{name:<14}" + ", ".join(f"{key} {value:g}" for key, value in row.items()))
    return "\n".join(lines)


def main() -> None:
    """Measure the records one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--record", choices=RECORDS, action="append", help="a record, may be given again")
    parser.add_argument("--cache", type=Path, help="a folder for what fits were worth")
    parser.add_argument("--picture", type=Path, help="a file for the picture")
    asked = parser.parse_args()
    cache = FitCache(asked.cache) if asked.cache else None
    measured = [points_of(name, cache) for name in asked.record or RECORDS]
    points, gated = ([point for each in measured for point in each[part]] for part in (0, 1))
    found = figures(points, RETRAININGS)
    if "electricity" in (asked.record or RECORDS):
        found["shuffled_retrainings_a_year"] = retrainings_a_year(Regret(), SEED, cache)
    if asked.picture:
        asked.picture.write_text(draw(points))
    if asked.json:
        rounded = {name: round(value, 3) for name, value in found.items()}
        tables = {"records": by_record(points), "gated": by_record(gated), "gated_figures": figures(gated, RETRAININGS)}
        print(json.dumps({"figures": rounded} | tables | {"points": document(points)}))
    else:
        print(as_lines(found, points, gated))


if __name__ == "__main__":
    main()
