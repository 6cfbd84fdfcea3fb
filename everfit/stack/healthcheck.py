"""``python -m everfit.stack.healthcheck http|grpc|daemon|comparators WHERE``: exits 0 where it answers; for containers."""

import sys
import time
from collections.abc import Callable

from everfit.stack import health

HEARTBEAT_SECONDS = 90.0

PROBES: dict[str, Callable[[str], bool]] = {
    "http": health.http,
    "grpc": lambda address: health.grpc(address, "DagsterApi"),
    "daemon": lambda webserver: health.daemon(webserver, time.time() - HEARTBEAT_SECONDS),
    "comparators": health.comparators,
}


def main(arguments: list[str]) -> int:
    """0 where it answers, 1 where it does not, 2 on wrong arguments."""
    if len(arguments) != 2 or arguments[0] not in PROBES:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    kind, where = arguments
    return 0 if PROBES[kind](where) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
