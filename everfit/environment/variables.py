"""Every variable of the environment that everfit reads, and how a value of it is checked and read.

A value that makes no sense is refused before anything is started or connected to. `docs/operate.md` describes each; a test
compares its table, this list and the code.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from everfit.errors import SettingsError
from everfit.timing import parse_duration

SIMILAR = 0.85  # of two names, by difflib: …_URI is close enough to …_URL
PASSWORD = re.compile(r"(//[^/@]*:)[^@]+@|(password=)[^&\s]*")
SERVER = re.compile(r"(?:[^\s:/,]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the values of a variable are and how one is written. ``read`` raises ValueError where a text is none."""

    noun: str
    written: str
    read: Callable[[str], Any]


def _matching(fits: Callable[[str], bool]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not fits(text):
            raise ValueError(text)
        return text

    return read


def _whole(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not 0 < int(text) <= most:
            raise ValueError(text)
        return int(text)

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    return _matching(lambda text: text in choices)


def _is_server(text: str) -> bool:
    server = SERVER.fullmatch(text)
    return server is not None and 0 < int(server[1]) < PORTS


def _is_url(text: str, schemes: set[str]) -> bool:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    return url.scheme in schemes and port != 0


def _is_database(text: str) -> bool:
    return _is_url(text, {"postgresql", "postgresql+psycopg"}) and urlsplit(text).path.strip("/") != ""


def _is_page(text: str) -> bool:
    return _is_url(text, {"http", "https"}) and bool(urlsplit(text).hostname)


def _switch(text: str) -> bool:
    return _one_of("on", "off")(text) == "on"


def _share(text: str) -> float:
    if not re.fullmatch(r"(100|\d{1,2}(\.\d+)?)%", text):
        raise ValueError(text)
    return float(text.rstrip("%")) / 100


PORTS = 65_536
KAFKA_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
KAFKA_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

DATABASE = Shape(
    "URL of a Postgres database", "write postgresql+psycopg://user:password@host:5432/everfit", _matching(_is_database)
)
PAGE = Shape("address", "write http://host:port", _matching(_is_page))
SERVERS = Shape(
    "list of servers",
    "write host:port, or several with commas",
    _matching(lambda text: all(map(_is_server, text.split(",")))),
)
FOLDER = Shape("folder", "name one of this machine; other stores are not supported", _matching(lambda text: "://" not in text))
PACKAGE = Shape(
    "package",
    "name one to import, such as models",
    _matching(lambda text: all(part.isidentifier() for part in text.split("."))),
)
PORT = Shape("port", "set a number from 1 to 65535", _whole(PORTS - 1))
NUMBER = Shape("number", "set a whole number from 1 to 1000", _whole(1_000))
PROTOCOL = Shape("protocol of Kafka", f"set one of {', '.join(KAFKA_PROTOCOLS)}", _one_of(*KAFKA_PROTOCOLS))
MECHANISM = Shape("mechanism of SASL", f"set one of {', '.join(KAFKA_MECHANISMS)}", _one_of(*KAFKA_MECHANISMS))
SWITCH = Shape("switch", "write on or off", _switch)
DURATION = Shape("duration", "write a number and one of s, m, h, d, such as 24h", parse_duration)
SHARE = Shape("share", "write a percentage up to 100%, such as 5%", _share)
NAME = Shape(
    "name",
    "write the name of an installed one, such as everfit",
    _matching(lambda text: re.fullmatch(r"[\w.-]+", text) is not None),
)
NAMES = Shape(
    "list of names",
    "write the names of trackers with commas, such as mlflow,wandb",
    _matching(lambda text: re.fullmatch(r"[\w.-]+(,[\w.-]+)*", text) is not None),
)
TEXT = Shape("text", "", str)

SECRET = {"EVERFIT_ALERT_WEBHOOK", "EVERFIT_HEARTBEAT_URL"}  # values that no message shows: their path may be a secret

SHAPES: dict[str, Shape] = {
    "EVERFIT_HOME": FOLDER,
    "EVERFIT_MODELS": PACKAGE,
    "EVERFIT_DATABASE_URL": DATABASE,
    "EVERFIT_OWNER_DATABASE_URL": DATABASE,
    "EVERFIT_OWNER_PASSWORD": TEXT,
    "EVERFIT_KAFKA_BOOTSTRAP": SERVERS,
    "EVERFIT_KAFKA_SECURITY_PROTOCOL": PROTOCOL,
    "EVERFIT_KAFKA_SASL_MECHANISM": MECHANISM,
    "EVERFIT_KAFKA_SASL_USERNAME": TEXT,
    "EVERFIT_KAFKA_SASL_PASSWORD": TEXT,
    "EVERFIT_KAFKA_SSL_CAFILE": TEXT,
    "EVERFIT_KAFKA_SSL_CERTFILE": TEXT,
    "EVERFIT_KAFKA_SSL_KEYFILE": TEXT,
    "EVERFIT_KAFKA_SSL_KEY_PASSWORD": TEXT,
    "MLFLOW_TRACKING_URI": PAGE,
    "EVERFIT_MLFLOW_PAGES": PAGE,
    "EVERFIT_SERVING_URL": PAGE,
    "EVERFIT_SERVING_PAGES": PAGE,
    "EVERFIT_DAGSTER_URL": PAGE,
    "EVERFIT_LAKE": FOLDER,
    "EVERFIT_SERVING_TOKEN": TEXT,
    "EVERFIT_TRAININGS_AT_ONCE": NUMBER,
    "EVERFIT_AUTOMATION": SWITCH,
    "EVERFIT_ALERT_WEBHOOK": PAGE,
    "EVERFIT_HEARTBEAT_URL": PAGE,
    "EVERFIT_PATIENCE": DURATION,
    "EVERFIT_LOOKUP_TIMEOUT": DURATION,
    "EVERFIT_ALERT_REMINDER": DURATION,
    "EVERFIT_ALERT_SILENCE": DURATION,
    "EVERFIT_ALERT_DEAD_LETTERS": SHARE,
    "EVERFIT_ALERT_COMPARATORS": SHARE,
    "EVERFIT_ALERT_LAG": DURATION,
    "EVERFIT_LOG_FORMAT": NAME,
    "EVERFIT_TRACKERS": NAMES,
    "EVERFIT_KAFKA_PORT": PORT,
    "EVERFIT_MLFLOW_PORT": PORT,
    "EVERFIT_CODE_PORT": PORT,
    "EVERFIT_DAGSTER_PORT": PORT,
    "EVERFIT_SERVING_PORT": PORT,
    "EVERFIT_POSTGRES_PASSWORD": TEXT,
    "EVERFIT_POSTGRES_PORT": PORT,
    "EVERFIT_DAGSTER_PASSWORD": TEXT,
    "EVERFIT_MLFLOW_PASSWORD": TEXT,
    "EVERFIT_TORCH_INDEX": TEXT,
    "EVERFIT_TEST_BROKER": TEXT,
    "EVERFIT_STACK": TEXT,
    "EVERFIT_SERVICE": TEXT,
    "EVERFIT_RECIPE": TEXT,
    "EVERFIT_PORT": TEXT,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A variable whose name or value cannot be meant."""

    variable: str
    message: str
    todo: str


def masked(text: str) -> str:
    """The text with the passwords of its URLs hidden."""
    return PASSWORD.sub(lambda match: f"{match[1]}***@" if match[1] else f"{match[2]}***", text)


def problem(variable: str, value: str) -> Problem | None:
    """What is wrong with a value; an empty one counts as not set."""
    shape = SHAPES[variable]
    try:
        if value:
            shape.read(value)
    except ValueError:
        return Problem(variable, f"{_shown(variable, value)} is no {shape.noun}", f"{shape.written}, or unset it")
    return None


def setting(variable: str, default: str = "", environ: Mapping[str, str] = os.environ) -> Any:
    """The value of a variable, read by its shape: a duration is a timedelta, a share a float up to 1, a switch a bool.

    Args:
        variable: one of :data:`SHAPES`.
        default: what counts where it is not set, written as in the environment; without one that is None.
        environ: where it is read.

    Raises:
        SettingsError: when the value is none of its shape.
    """
    text = environ.get(variable) or default
    if wrong := problem(variable, text):
        raise SettingsError(f"{wrong.message}; {wrong.todo}")
    return SHAPES[variable].read(text) if text else None


def _shown(variable: str, value: str) -> str:
    return variable if variable in SECRET else f"{variable}={masked(value)!r}"


def problems(environ: Mapping[str, str]) -> list[Problem]:
    """All that is wrong: values out of shape, and names that are spelled almost as one of ours."""
    wrong = [fault for variable in SHAPES if (fault := problem(variable, environ.get(variable, "")))]
    unknown = sorted(name for name in environ if name.startswith("EVERFIT_") and name not in SHAPES)
    meant = {name: difflib.get_close_matches(name, SHAPES, n=1, cutoff=SIMILAR) for name in unknown}
    misspelt = [
        Problem(name, f"{name} is nothing that everfit reads", f"did you mean {near[0]}?")
        for name, near in meant.items()
        if near
    ]
    return wrong + misspelt


def require_sound(environ: Mapping[str, str]) -> None:
    """Refuse an environment that cannot be meant.

    Raises:
        SettingsError: with one line a problem.
    """
    if wrong := problems(environ):
        raise SettingsError("\n".join(f"{fault.message}; {fault.todo}" for fault in wrong))
