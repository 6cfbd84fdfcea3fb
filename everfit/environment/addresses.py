"""Addresses: whether two lead to the same place, however they are written (users, passwords and drivers do not count)."""

import socket
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

Place = tuple[object, ...]

USUAL_PORTS = {"postgresql": 5432, "http": 80, "https": 443}
LISTENS_SECONDS = 3.0
PASSWORDS = {"password", "sslpassword"}  # parameters of a URL of Postgres


def place(address: str) -> Place:
    """What an address leads to: of a URL host, port and path, of a bootstrap list its servers, of a folder its full path."""
    if "://" in address:
        url = urlsplit(address)
        scheme, query = url.scheme.partition("+")[0], dict(parse_qsl(url.query))
        port = int(url.port or query.get("port") or USUAL_PORTS.get(scheme, 0))
        return (scheme, url.hostname or query.get("host", ""), port, url.path.rstrip("/"))
    if ":" in address:
        return tuple(sorted(server.strip().lower() for server in address.split(",")))
    return (str(Path(address).absolute()),)


def same_place(one: str, other: str) -> bool:
    """Whether both lead to the same."""
    return place(one) == place(other)


def without_password(address: str) -> str:
    """The address with no password in it, to be written down."""
    url = urlsplit(address)
    if "://" not in address or not (url.password or PASSWORDS & dict(parse_qsl(url.query)).keys()):
        return address
    query = urlencode([(name, value) for name, value in parse_qsl(url.query) if name not in PASSWORDS], safe="/")
    return urlunsplit((url.scheme, _without_password(url), url.path, query, url.fragment))


def _without_password(url: SplitResult) -> str:
    user, at, server = url.netloc.rpartition("@")
    return f"{user.partition(':')[0]}{at}{server}"


def listens(address: str) -> bool:
    """Whether anything accepts connections at ``host:port``."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=LISTENS_SECONDS).close()
    except OSError:
        return False
    return True
