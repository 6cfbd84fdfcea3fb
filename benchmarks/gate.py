"""What the gate lets through and what it holds back, on the electricity market, and how soon a promotion is taken back.

Run: ``python benchmarks/gate.py [--json] [--only PART] [--picture FILE]``; about ten minutes on two cores, most of it fits.
``--json`` prints one JSON document: the figures, and what each is the worst of, by the declared budget where it depends on it.
The picture is SVG, of the parts that are measured.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._gate_errors import false_ratios
from benchmarks._gate_gain import kept_shares, power
from benchmarks._gate_intervals import misses, real_misses, sequence_errors
from benchmarks._gate_losses import real_order, shuffled
from benchmarks._gate_picture import BUDGETS, DAYS, draw
from benchmarks._gate_rollback import rollbacks
from everfit.declaration import Gate

SEED = 0
DEFAULT = Gate().wrong_promotions_per_year

Measured = Mapping[str, Mapping[str, float]]  # by what is measured, such as `power_28d of 4`: its cases
FIGURES: Mapping[str, tuple[str, Callable[[Iterable[float]], float]]] = {
    "false_ratio": (f"false_ratio of {DEFAULT:g}", max),
    "power_28d": (f"power_28d of {DEFAULT:g}", min),
    "kept_share": (f"kept_share of {DEFAULT:g}", min),
    "coverage_7": ("coverage of 7", max),
    "coverage_28": ("coverage of 28", max),
    "sequence_false_ar3": ("sequence_false_ar3", max),
    "rollback_seconds": ("rollback_seconds", statistics.median),
}


def gain() -> Measured:
    """Of weekly retraining's gain what is kept to each end, and the power, by the budget."""
    world, found = real_order(), {}
    for budget in BUDGETS:
        gate = Gate(wrong_promotions_per_year=budget)
        found[f"kept_share of {budget:g}"] = kept_shares(gate, world)
        found[f"power_28d of {budget:g}"] = {"passed": power(gate, world)}
    return found


def errors() -> Measured:
    """Wrong promotions over the budget, by the budget, and the interval's misses on its worse side, by the days judged."""
    days = shuffled(SEED)
    losses = days.losses()
    ratios = {f"false_ratio of {budget:g}": false_ratios(days, budget, SEED) for budget in BUDGETS}
    sides = {f"coverage of {number}": misses(number, losses, SEED) for number in DAYS}
    beside = {f"real coverage of {number}": {"real order": real_misses(number, real_order())} for number in DAYS}
    return ratios | sides | beside


def live() -> Measured:
    """The errors of the live sequence."""
    return {"sequence_false_ar3": {"simulated": sequence_errors(SEED)}}


def rollback() -> Measured:
    """The seconds of each rollback."""
    return {"rollback_seconds": {str(number): seconds for number, seconds in enumerate(rollbacks(), 1)}}


PARTS: Mapping[str, Callable[[], Measured]] = {"gain": gain, "errors": errors, "live": live, "rollback": rollback}


def main() -> None:
    """Measure the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part, may be given again")
    parser.add_argument("--picture", type=Path, help="a file for the picture of gain and errors")
    asked = parser.parse_args()
    measured = {name: cases for part in asked.only or PARTS for name, cases in PARTS[part]().items()}
    figures = {
        figure: round(worst(measured[name].values()), 3) for figure, (name, worst) in FIGURES.items() if name in measured
    }
    if asked.picture:
        asked.picture.write_text(draw(measured))
    if asked.json:
        print(json.dumps({"figures": figures, "measured": measured}))
    else:
        print("\n".join(f"{name:<28} {value:>9}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
