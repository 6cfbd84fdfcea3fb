"""The parts of a stack whose addresses the environment gives: used, checked and made ready, and not started."""

from collections.abc import Collection, Mapping
from pathlib import Path

from everfit.environment.addresses import same_place
from everfit.environment.settings import VARIABLES, addresses, endpoints, given_to_stack, require_one_stack
from everfit.environment.variables import masked
from everfit.errors import ServiceError, StackError
from everfit.stack import health
from everfit.stack.services import HEALTH, SERVICES
from everfit.topics.admin import create_topics

PARTITIONS = 3  # of a topic that is not there yet
PART = {  # which address each service stands behind
    "postgres": "database_url",
    "broker": "kafka",
    "mlflow": "mlflow",
    "code": "dagster",
    "dagster": "dagster",
    "daemon": "dagster",
    "serving": "serving",
}


def given_parts(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The addresses that are given, by name: by the environment, or to the ``up`` whose stack still runs.

    What runs at an address that ``up`` chose itself is not given, whoever repeats that address.

    Raises:
        SettingsError: when the environment names another place than what runs.
    """
    require_one_stack({**environ, "EVERFIT_HOME": str(home)})
    running, kept = endpoints(home), given_to_stack(home)
    found = {name: environ.get(variable, "") for name, variable in VARIABLES.items()}
    own = {name for name, value in found.items() if name not in kept and name in running and same_place(value, running[name])}
    wanted = {name: value or running.get(name, "") for name, value in found.items() if value or name in kept}
    return {name: value for name, value in wanted.items() if name not in own}


def managed(home: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The services that are this home's to run: those behind no given address.

    The embedded Postgres also holds what Dagster and MLflow keep, and is left out only where these are elsewhere, too.
    """
    running, kept = endpoints(home), given_to_stack(home)
    known = addresses({**environ, "EVERFIT_HOME": str(home)})
    named = {name for name, variable in VARIABLES.items() if environ.get(variable)}
    own = {name for name in named - kept if name in running and same_place(known[name], running[name])}
    return run_here(SERVICES, (named | kept) - own)


def run_here(services: Collection[str], given: Collection[str]) -> tuple[str, ...]:
    """Of these services those to be run where so many addresses are given."""
    keeps_books = {"mlflow", "dagster"} & {PART[name] for name in services} - set(given)
    return tuple(name for name in services if PART[name] not in given or (name == "postgres" and keeps_books))


def make_ready(given: Mapping[str, str], services: Collection[str]) -> None:
    """Hold that what is given answers, and lay the schema and the topics there.

    Args:
        given: addresses by name.
        services: the services that would have been started; what none of them stands behind is not looked at.

    Raises:
        StackError: when a part does not answer; the message names its variable.
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
            f"{variable} gives {masked(address)}, so that `everfit up` starts none of its own, and it cannot be used: {error}. "
            f"Start what {variable} names, correct it, or unset it"
        ) from error


def _migrate(url: str) -> None:
    from everfit.store.database import create_engine, migrate

    engine = create_engine(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def _require_answer(url: str) -> None:
    if not health.http(url):
        raise ServiceError(f"{url} does not answer with 200")
