"""HTTP clients of everfit: paths lie below the address's own, and TLS certificates are checked.

``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` names a private certificate authority, as for other programs. Proxies are not used: the
servers are parts of the deployment.
"""

import os
import ssl
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from everfit.environment.variables import masked
from everfit.errors import SettingsError

if TYPE_CHECKING:
    import httpx

SCHEMES = ("http", "https")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
MLFLOW_AUTHORITY = "MLFLOW_TRACKING_SERVER_CERT_PATH"


def server(url: str) -> SplitResult:
    """The parts of a server's address.

    Raises:
        SettingsError: when it is no address of a server that speaks HTTP.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in SCHEMES and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise SettingsError(
            f"{masked(url)!r} is no address of a server; write http://host:port or https://host, a path may follow"
        )
    return parts


def joined(url: str, path: str) -> str:
    """A path below an address, whose own path is kept.

    Raises:
        SettingsError: as :func:`server`.
    """
    server(url)
    return url.rstrip("/") + path


def authorities() -> ssl.SSLContext:
    """What certificates are checked against: the named authorities, or those that come with httpx."""
    return _authorities(*(os.environ.get(name, "") for name in AUTHORITIES))


@cache
def _authorities(file: str, folder: str) -> ssl.SSLContext:
    import httpx

    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise SettingsError(
            f"SSL_CERT_FILE={file!r} and SSL_CERT_DIR={folder!r}: {error}; name PEM files of authorities"
        ) from error


def get(url: str, *, timeout: float, token: str = "", **options: Any) -> "httpx.Response":
    """One GET; ``options`` are httpx's, such as ``params``.

    Raises:
        SettingsError: as :func:`server`.
        httpx.TransportError: when no server answers, or no authority signed its certificate.
    """
    import httpx

    server(url)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, timeout=timeout, headers=headers, verify=authorities(), trust_env=False, **options)


def client(url: str, *, timeout: float, **options: Any) -> "httpx.Client":
    """A client of the server at ``url``; its paths lie below that address's own.

    Raises:
        SettingsError: as :func:`server`.
    """
    import httpx

    server(url)
    return httpx.Client(base_url=url, timeout=timeout, verify=authorities(), trust_env=False, **options)


def settle_mlflow() -> None:
    """Let MLflow's own client check certificates against the same file, by a variable of its own, and draw no progress bars."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    if os.environ.get("SSL_CERT_FILE"):
        os.environ.setdefault(MLFLOW_AUTHORITY, os.environ["SSL_CERT_FILE"])
