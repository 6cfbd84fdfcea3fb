"""How every client of Kafka connects: one place for addresses, TLS, SASL and how soon a client tries again.

Whoever builds a producer, a consumer or an admin client takes its keywords from :func:`options` or :func:`consumer_options`.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from everfit.environment.variables import KAFKA_MECHANISMS, KAFKA_PROTOCOLS
from everfit.errors import ServiceError, SettingsError

CONNECT_SECONDS = 3.0

PROTOCOL = "EVERFIT_KAFKA_SECURITY_PROTOCOL"
MECHANISM = "EVERFIT_KAFKA_SASL_MECHANISM"
USERNAME = "EVERFIT_KAFKA_SASL_USERNAME"
PASSWORD = "EVERFIT_KAFKA_SASL_PASSWORD"  # noqa: S105 - the variable's name
CAFILE = "EVERFIT_KAFKA_SSL_CAFILE"
CERTFILE = "EVERFIT_KAFKA_SSL_CERTFILE"
KEYFILE = "EVERFIT_KAFKA_SSL_KEYFILE"
KEY_PASSWORD = "EVERFIT_KAFKA_SSL_KEY_PASSWORD"  # noqa: S105 - the variable's name

FILES = {CAFILE: "ssl_cafile", CERTFILE: "ssl_certfile", KEYFILE: "ssl_keyfile"}
SECRETS = (PASSWORD, KEY_PASSWORD)
VARIABLES = (PROTOCOL, MECHANISM, USERNAME, PASSWORD, *FILES, KEY_PASSWORD)

# A client reconnects to a broker that comes back within seconds: the client's own back-off would grow to half a minute.
_PATIENCE = {"reconnect_backoff_ms": 50, "reconnect_backoff_max_ms": 1_000, "retry_backoff_ms": 100}


def options(bootstrap: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What every client is built with.

    Args:
        bootstrap: ``host:port``, or several with commas between.
        environ: where TLS and SASL are read from.

    Raises:
        SettingsError: when a variable of TLS or SASL makes no sense, or one that belongs to it is missing.
    """
    return {"bootstrap_servers": bootstrap, **_PATIENCE, **security(environ)}


def consumer_options(bootstrap: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What every consumer of a log is built with: its offsets are Postgres', it never jumps, and reads what was committed."""
    reading = {"enable_auto_commit": False, "auto_offset_reset": "none", "isolation_level": "read_committed"}
    return options(bootstrap, environ) | reading


def security(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """TLS and SASL as Kafka's clients name them; empty where nothing is set, which is plain text.

    Raises:
        SettingsError: as :func:`options`.
    """
    given = {name: environ[name] for name in VARIABLES if environ.get(name)}
    if not given:
        return {}
    protocol = _one_of(PROTOCOL, given.get(PROTOCOL, "PLAINTEXT"), KAFKA_PROTOCOLS)
    return {"security_protocol": protocol, **_tls(protocol, given), **_sasl(protocol, given)}


def shown(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of TLS and SASL that are set, secrets masked."""
    return {name: "***" if name in SECRETS else environ[name] for name in VARIABLES if environ.get(name)}


def require_kafka(bootstrap: str) -> None:
    """Return when one of the bootstrap servers accepts a connection: a client would retry for half a minute, and leak sockets.

    Raises:
        ServiceError: when none does.
    """
    for server in bootstrap.split(","):
        host, _, port = server.rpartition(":")
        with contextlib.suppress(OSError):
            socket.create_connection((host.strip(), int(port)), timeout=CONNECT_SECONDS).close()
            return
    raise ServiceError(f"Kafka does not answer at {bootstrap}; see `everfit doctor`")


def unusable(bootstrap: str, error: Exception, environ: Mapping[str, str] = os.environ) -> ServiceError:
    """The error to raise where something listens, and a client could not be built. A refused password shows as a timeout."""
    problem = f"Kafka at {bootstrap} cannot be used ({type(error).__name__}: {error})"
    variables = ", ".join(f"{name}={value}" for name, value in shown(environ).items())
    if not variables:
        return ServiceError(f"{problem}; if it asks for TLS or a password, set {PROTOCOL} and what belongs to it")
    return ServiceError(f"{problem}; are these right: {variables}? A wrong password or certificate looks like no answer")


def _tls(protocol: str, variables: Mapping[str, str]) -> dict[str, str]:
    given = {name: variables[name] for name in (*FILES, KEY_PASSWORD) if name in variables}
    if "SSL" not in protocol:
        _refuse(given, f"{PROTOCOL}=SSL or SASL_SSL", protocol)
        return {}
    for name in FILES.keys() & given.keys():
        if not Path(given[name]).is_file():
            raise SettingsError(f"{name}={given[name]!r} is no file; name a PEM file that this process can read")
    password = {"ssl_password": given[KEY_PASSWORD]} if KEY_PASSWORD in given else {}
    return {FILES[name]: given[name] for name in FILES if name in given} | password


def _sasl(protocol: str, given: Mapping[str, str]) -> dict[str, str]:
    if not protocol.startswith("SASL"):
        _refuse([name for name in (MECHANISM, USERNAME, PASSWORD) if name in given], f"{PROTOCOL}=SASL_SSL", protocol)
        return {}
    missing = [name for name in (MECHANISM, USERNAME, PASSWORD) if name not in given]
    if missing:
        raise SettingsError(f"{PROTOCOL}={protocol} needs {' and '.join(missing)} too; set {'them' if missing[1:] else 'it'}")
    mechanism = _one_of(MECHANISM, given[MECHANISM], KAFKA_MECHANISMS)
    return {"sasl_mechanism": mechanism, "sasl_plain_username": given[USERNAME], "sasl_plain_password": given[PASSWORD]}


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise SettingsError(f"{name}={value!r} is none of {', '.join(choices)}; set one of them")
    return value


def _refuse(names: "list[str] | dict[str, str]", wanted: str, protocol: str) -> None:
    if names:
        raise SettingsError(f"{', '.join(names)} would be ignored under {PROTOCOL}={protocol}; set {wanted}, or unset it")
