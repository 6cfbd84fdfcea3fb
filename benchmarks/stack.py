"""How long `everfit up` takes, first and again, and how much memory each service holds (PSS), on a home and ports of its own.

Run: ``python benchmarks/stack.py``. Prints one JSON document.
"""

import json
import tempfile
import time
from pathlib import Path

from everfit.stack import ports
from everfit.stack.states import states
from everfit.stack.supervisor import Stack


def measure(home: Path) -> dict[str, object]:
    """Start everything on a fresh home, ask again, weigh, stop."""
    environ = {variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}
    stack = Stack(home, environ=environ)
    seconds = {}
    try:
        for what in ("first", "again"):
            began = time.perf_counter()
            stack.up()
            seconds[what] = round(time.perf_counter() - began, 1)
        megabytes = {state.name: round(state.memory_bytes / 1e6) for state in states(home)}
    finally:
        stack.down()
    return {"up_seconds": seconds, "memory_mb": megabytes, "memory_mb_together": sum(megabytes.values())}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder) / "home"), indent=2))
