"""Whether drift's alarms keep their budget, what they see that others do not, and what a verdict costs.

Run: ``python benchmarks/drift.py [--json] [--only PART] [--streams N] [--years N] [--picture FILE]``; about twenty minutes on
two quiet cores. ``--json`` prints one JSON document: figures, the table of shifts, the cells of the budget. The picture is SVG.
"""

import argparse
import json
import multiprocessing
import sys
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _drift_budget as budgets
from benchmarks import _drift_shifts as shifts
from benchmarks._drift_cost import costs
from benchmarks._drift_picture import draw

PARTS = ("budget", "shifts", "cost")


def main() -> None:
    """Measure the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part, may be given again")
    parser.add_argument("--streams", type=int, default=200, help="of the table of shifts")
    parser.add_argument("--years", type=int, default=16, help="that each cell of the budget is followed for")
    parser.add_argument("--picture", type=Path, help="a file for the picture")
    asked = parser.parse_args()
    parts = asked.only or PARTS
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = measure(parts, asked.streams, asked.years, pool)
    if asked.picture:
        asked.picture.write_text(draw(made))
    print(json.dumps(made) if asked.json else "\n".join(told(made)))


def measure(parts: "tuple[str, ...] | list[str]", streams: int, years: int, pool: Pool) -> dict[str, Any]:
    """The figures, and what they are the worst of."""
    made: dict[str, Any] = {"figures": {}}
    if "budget" in parts:
        cells = budgets.cells(years, pool)
        made["budget"] = [cell._asdict() for cell in cells]
        made["figures"] |= {
            "budget_ratio": budgets.ratio(cells, promised=True),
            "warned_ratio": budgets.ratio(cells, promised=False),
        }
    if "shifts" in parts:
        rows, a_year = shifts.table(streams, pool)
        made["shifts"] = [row._asdict() for row in rows]
        made["figures"] |= {"rows_behind_peer": sum(bool(row.behind) for row in rows), "alarms_a_year_of_all": a_year}
    if "cost" in parts:
        made["figures"] |= costs()
    return made


def told(made: dict[str, Any]) -> "list[str]":
    """The figures in lines."""
    lines = [f"{name}: {value:.3g}" for name, value in made["figures"].items()]
    for cell in made.get("budget", []):
        interval = f"{cell['a_year']:.1f} a year [{cell['lower']:.1f}, {cell['upper']:.1f}]"
        kept = "promised" if cell["promised"] else "warned"
        lines.append(f"{cell['kind']}, {cell['rows']} rows, {cell['history']} days: {interval}, {kept}, {cell['alarmed']:.1%}")
    for row in made.get("shifts", []):
        seen = "  ".join(f"{name} {'/'.join(f'{100 * share:.0f}' for share in shares)}" for name, shares in row["seen"].items())
        lines.append(f"{row['shift']}: {seen}  {'behind ' + ', '.join(row['behind']) if row['behind'] else ''}")
    return lines


if __name__ == "__main__":
    main()
