"""What a training costs beside its bare fits: time on the flights, memory and time on many rows, what a kill repeats.

Run: ``python benchmarks/training.py``.
``--json`` prints one JSON document with the figures; ``--only PART`` measures one part.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _large, _resume, _retraining

PARTS = {"overhead": _retraining.measure, "large": _large.measure, "resume": _resume.measure}


def main() -> None:
    """Measure the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part, may be given again")
    asked = parser.parse_args()
    figures = {name: round(value, 3) for part in asked.only or PARTS for name, value in PARTS[part]().items()}
    if asked.json:
        print(json.dumps({"figures": figures}))
    else:
        print("\n".join(f"{name:<28} {value:>9}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
