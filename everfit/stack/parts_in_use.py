"""Which Postgres, Kafka and MLflow a process uses, so that two processes can be compared.

Addresses do not suffice: in a container the same broker has another name, and the same name may lead to another broker. So each
part is identified: Postgres by its system identifier and the database's number, Kafka by the id of the topic of predictions,
MLflow by when its first experiment was created.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from everfit.environment import http_client
from everfit.environment.addresses import same_place, without_password
from everfit.errors import ServiceError
from everfit.topics.events import PREDICTIONS

if TYPE_CHECKING:
    from everfit.environment.settings import Settings

TIMEOUT_SECONDS = 5
PARTS = {"database_url": "Postgres", "kafka": "Kafka", "mlflow": "MLflow"}


class Uses(msgspec.Struct, frozen=True):
    """Addresses without passwords, and the identities of the parts that answered; both by the names of the settings.

    ``lacks`` are the packages that serving lacks for versions that answer from a process of their own, by candidate.
    """

    addresses: dict[str, str]
    identities: dict[str, str] = {}
    lacks: dict[str, str] = {}


def uses(settings: "Settings") -> Uses:
    """The parts that this process uses; sends one request to each, and takes seconds at most."""
    parts = uses_of({"database_url": settings.database_url, "kafka": settings.kafka, "mlflow": settings.mlflow})
    return Uses(parts.addresses | {"lake": str(settings.lake)}, parts.identities)


def uses_of(addresses: Mapping[str, str]) -> Uses:
    """The parts at these addresses, by the names of the settings."""
    identify: Mapping[str, Callable[[str], str | None]] = {"database_url": _database, "kafka": _kafka, "mlflow": _mlflow}
    identities = {name: identify[name](address) for name, address in addresses.items()}
    shown = {name: without_password(address) for name, address in addresses.items()}
    return Uses(shown, {name: identity for name, identity in identities.items() if identity})


def differences(first: Uses, second: Uses) -> list[str]:
    """A line for each part that the two do not share, with both addresses."""
    return [
        f"{label} at {second.addresses[name]}, and this command {label} at {first.addresses[name]}"
        for name, label in PARTS.items()
        if name in second.addresses and not _is_shared(name, first, second)
    ]


def _is_shared(name: str, first: Uses, second: Uses) -> bool:
    if name in first.identities and name in second.identities:
        return first.identities[name] == second.identities[name]
    return same_place(first.addresses[name], second.addresses[name])


def _database(url: str) -> str | None:
    import psycopg

    query = "SELECT system_identifier, oid FROM pg_control_system(), pg_database WHERE datname = current_database()"
    try:
        with psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=TIMEOUT_SECONDS) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.Error:
        return None
    return None if row is None else f"{row[0]}/{row[1]}"


def _kafka(bootstrap: str) -> str | None:
    from kafka.errors import KafkaError

    from everfit.topics.admin import topic_ids

    try:
        return topic_ids(bootstrap).get(PREDICTIONS)
    except (KafkaError, ServiceError):
        return None


def _mlflow(url: str) -> str | None:
    import httpx

    try:
        query = http_client.joined(url, "/api/2.0/mlflow/experiments/get?experiment_id=0")
        answer = http_client.get(query, timeout=TIMEOUT_SECONDS).raise_for_status().json()
        return str(answer["experiment"]["creation_time"])
    except (httpx.HTTPError, ValueError, KeyError):  # a ValueError is also an address of no server, such as a folder's
        return None
