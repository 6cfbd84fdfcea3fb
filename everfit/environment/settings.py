"""The addresses of a deployment's parts: one frozen record, read from the environment.

``everfit up`` writes the addresses that its stack works with, those it chose and those it was given, to
``.everfit/run/endpoints.json``; every command reads them from there. While that file is there, a variable that names another
place is refused: the services and the command would work on two different stacks.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from everfit.environment.addresses import same_place
from everfit.environment.formats import require_format
from everfit.environment.variables import masked, require_sound
from everfit.errors import ServiceError, SettingsError

VARIABLES = {
    "database_url": "EVERFIT_DATABASE_URL",
    "kafka": "EVERFIT_KAFKA_BOOTSTRAP",
    "mlflow": "MLFLOW_TRACKING_URI",
    "serving": "EVERFIT_SERVING_URL",
    "dagster": "EVERFIT_DAGSTER_URL",
    "lake": "EVERFIT_LAKE",
}
ENDPOINTS_FORMAT = 1  # of endpoints.json
GIVEN = "given"  # in endpoints.json: the names of what the environment of `everfit up` gave, with commas
STACK = "EVERFIT_STACK"  # the home of the stack that a process belongs to: it was started with that stack's addresses
TOKEN = "EVERFIT_SERVING_TOKEN"  # noqa: S105 - the variable's name
MLFLOW_PAGES, SERVING_PAGES = "EVERFIT_MLFLOW_PAGES", "EVERFIT_SERVING_PAGES"


@dataclass(frozen=True, slots=True)
class Settings:
    """The addresses that everfit works with.

    ``database_url`` is an SQLAlchemy URL for psycopg (``postgresql+psycopg://…``), ``kafka`` a bootstrap list,
    ``mlflow``, ``serving`` and ``dagster`` are base URLs, ``lake`` a folder. ``token`` is what serving requires of its
    clients, if anything. Secrets are in no ``repr``.
    """

    home: Path
    database_url: str = field(repr=False)
    kafka: str
    mlflow: str
    serving: str
    dagster: str
    lake: Path
    models: str = "models"
    token: str = field(default="", repr=False)
    mlflow_browsed: str = ""
    serving_browsed: str = ""

    @property
    def mlflow_pages(self) -> str:
        """Where a browser finds MLflow, for links: a container's address is not a person's."""
        return self.mlflow_browsed or self.mlflow

    @property
    def serving_pages(self) -> str:
        """Where a browser finds serving, for links to its reports."""
        return self.serving_browsed or self.serving

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment, and for what it leaves open the addresses of the embedded stack.

        Raises:
            SettingsError: when a variable makes no sense, or names another place than the running stack works with.
            ServiceError: when an address is in neither: the stack is not up, or a variable was forgotten.
        """
        require_sound(environ)
        require_same_parts(environ)
        home = home_folder(environ)
        known = addresses(environ)
        missing = [variable for name, variable in VARIABLES.items() if name not in known]
        if missing:
            raise ServiceError(f"everfit is not up in {home} (no {', '.join(missing)}): run `everfit up`, or set them")
        return cls(
            home=home,
            database_url=known["database_url"],
            kafka=known["kafka"],
            mlflow=known["mlflow"],
            serving=known["serving"],
            dagster=known["dagster"],
            lake=Path(known["lake"]),
            models=models_package(environ),
            token=environ.get(TOKEN, ""),
            mlflow_browsed=environ.get(MLFLOW_PAGES, ""),
            serving_browsed=environ.get(SERVING_PAGES, ""),
        )


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of all state: ``EVERFIT_HOME``, or ``.everfit`` where the command runs."""
    return Path(environ.get("EVERFIT_HOME") or ".everfit").absolute()


def models_package(environ: Mapping[str, str] = os.environ) -> str:
    """The package that declares the models: ``EVERFIT_MODELS``, or ``models``."""
    return environ.get("EVERFIT_MODELS") or "models"


def addresses(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The address of each part, as far as it is known: the environment first, then what ``everfit up`` chose."""
    home = home_folder(environ)
    usual = {"lake": str(home / "lake"), **endpoints(home)}
    given = {name: environ.get(variable) or usual.get(name, "") for name, variable in VARIABLES.items()}
    return {name: value for name, value in given.items() if value}


def elsewhere(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names every server: nothing of the embedded stack is meant then."""
    return all(environ.get(variable) for name, variable in VARIABLES.items() if name != "lake")


def endpoints(home: Path) -> dict[str, str]:
    """What the stack of ``everfit up`` works with, or nothing where it is not up."""
    file = home / "run" / "endpoints.json"
    if not file.exists():
        return {}
    document = json.loads(file.read_text())
    require_format(document, ENDPOINTS_FORMAT, str(file))
    return {name: value for name, value in document.items() if name != "format"}


def given_to_stack(home: Path) -> set[str]:
    """The names of the addresses that ``everfit up`` was given and did not choose."""
    return set(filter(None, endpoints(home).get(GIVEN, "").split(",")))


def conflicts(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Each variable that names another place than the stack of this home works with, in words with both addresses."""
    if environ.get(STACK):
        return []
    used = endpoints(home_folder(environ))
    return [
        f"{variable} is {masked(environ[variable])}, and the stack works with {masked(used[name])}"
        for name, variable in VARIABLES.items()
        if environ.get(variable) and name in used and not same_place(environ[variable], used[name])
    ]


def require_same_parts(environ: Mapping[str, str] = os.environ) -> None:
    """Refuse an environment that would split the stack in two.

    Raises:
        SettingsError: with both addresses of each part, and what to do.
    """
    if split := conflicts(environ):
        todo = "unset the variable; or run `everfit down` and `everfit up`, so that all of the stack uses what it names"
        raise SettingsError(f"everfit is up in {home_folder(environ)} with other addresses: {'; '.join(split)}: {todo}")
