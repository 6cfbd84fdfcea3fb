"""Where the parts of a deployment answer: one frozen record, read from the environment.

In the embedded mode (nothing set) ``everfit up`` writes the addresses it chose to ``.everfit/run/endpoints.json`` and every
process of the stack reads them from there. A variable that is set wins over that file.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from everfit.errors import ServiceError

VARIABLES = {
    "database_url": "EVERFIT_DATABASE_URL",
    "kafka": "EVERFIT_KAFKA_BOOTSTRAP",
    "mlflow": "MLFLOW_TRACKING_URI",
    "serving": "EVERFIT_SERVING_URL",
    "dagster": "EVERFIT_DAGSTER_URL",
    "lake": "EVERFIT_LAKE",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The addresses that everfit works with.

    ``database_url`` is an SQLAlchemy URL for psycopg (``postgresql+psycopg://…``), ``kafka`` a bootstrap list,
    ``mlflow``, ``serving`` and ``dagster`` are base URLs, ``lake`` a folder.
    """

    home: Path
    database_url: str = field(repr=False)
    kafka: str
    mlflow: str
    serving: str
    dagster: str
    lake: Path
    models: str = "models"

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment, and for what it leaves open the addresses of the embedded stack.

        Raises:
            ServiceError: when an address is in neither: the stack is not up, or a variable was forgotten.
        """
        home = home_folder(environ)
        embedded = endpoints(home)
        found = {name: environ.get(variable) or embedded.get(name) for name, variable in VARIABLES.items()}
        missing = [VARIABLES[name] for name, value in found.items() if not value and name != "lake"]
        if missing:
            raise ServiceError(f"everfit is not up in {home} (no {', '.join(missing)}): run `everfit up`, or set them")
        return cls(
            home=home,
            database_url=str(found["database_url"]),
            kafka=str(found["kafka"]),
            mlflow=str(found["mlflow"]),
            serving=str(found["serving"]),
            dagster=str(found["dagster"]),
            lake=Path(found["lake"] or home / "lake"),
            models=models_package(environ),
        )


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of all state: ``EVERFIT_HOME``, or ``.everfit`` where the command runs."""
    return Path(environ.get("EVERFIT_HOME") or ".everfit").absolute()


def models_package(environ: Mapping[str, str] = os.environ) -> str:
    """The package that declares the models: ``EVERFIT_MODELS``, or ``models``."""
    return environ.get("EVERFIT_MODELS") or "models"


def endpoints(home: Path) -> dict[str, str]:
    """What ``everfit up`` chose, or nothing where it is not up."""
    file = home / "run" / "endpoints.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}
