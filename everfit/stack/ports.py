"""Ports of the stack's services: the usual ones, or others, which are announced, where another process has them."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from itertools import count, islice
from secrets import randbelow

import psutil

from everfit.environment.variables import setting
from everfit.errors import StackError

LOCAL = "127.0.0.1"
SPAN = range(20_000, 32_768)  # of ports to choose from
MOMENT_SECONDS = 1.0  # a killed process closes its sockets within a tenth of this
DEFAULTS = {"broker": 9092, "mlflow": 5000, "code": 4000, "dagster": 3000, "serving": 8000}
VARIABLES = {
    "broker": "EVERFIT_KAFKA_PORT",
    "mlflow": "EVERFIT_MLFLOW_PORT",
    "code": "EVERFIT_CODE_PORT",
    "dagster": "EVERFIT_DAGSTER_PORT",
    "serving": "EVERFIT_SERVING_PORT",
}

_numbers = count(randbelow(len(SPAN)))  # a random start, so that two processes do not choose alike


def wanted(service: str, environ: Mapping[str, str] = os.environ) -> int | None:
    """The port that the environment requests, or None.

    Raises:
        SettingsError: when it is not a port number.
    """
    port: int | None = setting(VARIABLES[service], environ=environ)
    return port


def choose(service: str, environ: Mapping[str, str], announce: Callable[[str], None]) -> int:
    """A free port for a service: the requested, else the usual one, else any.

    Raises:
        StackError: when the requested port is taken; the message names the process.
    """
    requested = wanted(service, environ)
    port = requested or DEFAULTS[service]
    if _comes_free(port):
        return port
    if requested:
        raise StackError(
            f"{VARIABLES[service]}={requested} is taken by {holder(requested)}; end that process, or set another port"
        )
    other = any_free()
    announce(f"port {port} is taken by {holder(port)}; {service} takes {other}")
    return other


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCAL, port))
        except OSError:
            return False
    return True


def _comes_free(port: int) -> bool:
    """Whether it is free within a second: the sockets of a killed process outlive it for a moment."""
    deadline = time.monotonic() + MOMENT_SECONDS
    while not is_free(port):
        if _listener(port) or time.monotonic() > deadline:
            return False
        time.sleep(MOMENT_SECONDS / 50)
    return True


def any_free() -> int:
    """A free port, a different one at each call, below the range that operating systems assign to connections."""
    candidates = (SPAN.start + number % len(SPAN) for number in _numbers)
    return next(port for port in islice(candidates, len(SPAN)) if is_free(port))


def holder(port: int) -> str:
    """The process that listens on a port, as ``name (pid 123)``; another user's process cannot always be named."""
    process = _listener(port)
    return f"{process.name()} (pid {process.pid})" if process else "a process of another user"


def _listener(port: int) -> psutil.Process | None:
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN and connection.pid:
            return psutil.Process(connection.pid)
    return None
