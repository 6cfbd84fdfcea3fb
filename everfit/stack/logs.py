"""Where each service of the stack writes, and how that ends."""

import os
from pathlib import Path

TAIL_LINES = 20
TAIL_BYTES = 16_384


def log_file(home: Path, name: str) -> Path:
    """Where a service's output goes."""
    return home / "logs" / f"{name}.log"


def tail(log: Path) -> str:
    """The last lines of a log; of a traceback what was raised, not through which frames."""
    if not log.exists():
        return "(nothing)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES), os.SEEK_SET)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join([line for line in lines if not line.startswith("  ")][-TAIL_LINES:])
