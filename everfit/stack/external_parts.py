"""The parts of a stack whose addresses the environment sets: checked, prepared and used, but not started."""

from collections.abc import Collection, Mapping
from pathlib import Path

from everfit.environment.addresses import same_place
from everfit.environment.settings import VARIABLES, addresses, endpoints, given_to_stack, require_same_parts
from everfit.environment.variables import masked
from everfit.errors import ServiceError, StackError
from everfit.stack import health
from everfit.stack.services import HEALTH, SERVICES
from everfit.topics.admin import create_topics

PARTITIONS = 3  # of a topic that is created
PART = {  # the address that each service belongs to
    "postgres": "database_url",
    "broker": "kafka",
    "mlflow": "mlflow",
    "code": "dagster",
    "dagster": "dagster",
    "daemon": "dagster",
    "serving": "serving",
    "comparators": "dagster",
}


def given_parts(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Addresses set by the environment, or by the environment of the ``up`` whose stack still runs; by name.

    An address that ``up`` chose itself does not count, even where the environment repeats it.

    Raises:
        SettingsError: when the environment sets another address than the running stack uses.
    """
    require_same_parts({**environ, "EVERFIT_HOME": str(home)})
    running, kept = endpoints(home), given_to_stack(home)
    configured = {name: environ.get(variable, "") for name, variable in VARIABLES.items()}
    own = {
        name for name, value in configured.items() if name not in kept and name in running and same_place(value, running[name])
    }
    wanted = {name: value or running.get(name, "") for name, value in configured.items() if value or name in kept}
    return {name: value for name, value in wanted.items() if name not in own}


def managed(home: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The services that this home runs itself: those without an external address.

    The embedded Postgres also stores the data of Dagster and MLflow, and is left out only where these are external, too.
    """
    running, kept = endpoints(home), given_to_stack(home)
    current = addresses({**environ, "EVERFIT_HOME": str(home)})
    named = {name for name, variable in VARIABLES.items() if environ.get(variable)}
    own = {name for name in named - kept if name in running and same_place(current[name], running[name])}
    return run_here(SERVICES, (named | kept) - own)


def run_here(services: Collection[str], given: Collection[str]) -> tuple[str, ...]:
    """Those of the services that must run here, given the names of the external addresses."""
    keeps_books = {"mlflow", "dagster"} & {PART[name] for name in services} - set(given)
    return tuple(name for name in services if PART[name] not in given or (name == "postgres" and keeps_books))


def make_ready(given: Mapping[str, str], services: Collection[str]) -> None:
    """Require that external parts answer, and create the schema and the topics there.

    Args:
        given: addresses by name.
        services: the services that the stack consists of; addresses that none of them belongs to are not checked.

    Raises:
        StackError: when a part does not answer; the message names its environment variable.
    """
    wanted = {PART[name] for name in services}
    for name, address in given.items():
        if name in wanted:
            _make_ready(name, address)


def _make_ready(name: str, address: str) -> None:
    try:
        if name == "database_url":
            _migrate(address)
        elif name == "kafka":
            create_topics(address, partitions=PARTITIONS)
        else:
            _require_answer(address.rstrip("/") + HEALTH[name])
    except ServiceError as error:
        variable = VARIABLES[name]
        raise StackError(
            f"{variable} is set to {masked(address)}, which cannot be used: {error}. `everfit up` starts no service instead: "
            f"start the service at that address, or correct or unset {variable}"
        ) from error


def _migrate(url: str) -> None:
    from everfit.store.database import create_engine
    from everfit.store.ownership import prepare_schema

    engine = create_engine(url)
    try:
        prepare_schema(engine)
    finally:
        engine.dispose()


def _require_answer(url: str) -> None:
    if not health.http(url):
        raise ServiceError(f"{url} does not answer with 200")
