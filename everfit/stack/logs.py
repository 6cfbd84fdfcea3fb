"""The log files of the stack's services, and their last lines."""

import os
from pathlib import Path

TAIL_LINES = 20
TAIL_BYTES = 16_384


def log_file(home: Path, name: str) -> Path:
    """The file that a service's output is written to."""
    return home / "logs" / f"{name}.log"


def tail(log: Path) -> str:
    """The last lines of a log; of a traceback the exception without its frames."""
    if not log.exists():
        return "(nothing)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES), os.SEEK_SET)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join([line for line in lines if not line.startswith("  ")][-TAIL_LINES:])
