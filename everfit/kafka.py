"""Is a Kafka there at all? Asked before a client is built: a client would retry for half a minute, and leak its sockets."""

import contextlib
import socket

from everfit.errors import ServiceError

CONNECT_SECONDS = 3.0


def require_kafka(bootstrap: str) -> None:
    """Return when one of the bootstrap servers accepts a connection.

    Args:
        bootstrap: ``host:port``, or several with commas between.

    Raises:
        ServiceError: when none does.
    """
    for server in bootstrap.split(","):
        host, _, port = server.rpartition(":")
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
            return
    raise ServiceError(f"Kafka does not answer at {bootstrap}; see `everfit doctor`")
