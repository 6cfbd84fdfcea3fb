"""Checks of a deployment's connections: each sends one request, takes seconds at most, and names the remedy on failure."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.dagster_api.automation import HEARTBEAT_SECONDS
from everfit.environment import http_client
from everfit.environment.variables import masked
from everfit.errors import EverfitError, ServiceError, SettingsError

if TYPE_CHECKING:
    import httpx
    import psycopg

    from everfit.environment.settings import Settings

TIMEOUT_SECONDS = 5
DIGEST_LENGTH = 64  # of an object's name: SHA-256 in hexadecimal
PREPARE = "run `everfit prepare`"
# Error messages of Postgres on a refused connection, and the remedy for each.
REFUSALS = {
    "password authentication failed": "correct the user or password in EVERFIT_DATABASE_URL (or PGPASSWORD)",
    "no password supplied": "give a password in EVERFIT_DATABASE_URL, or by PGPASSWORD",
    "does not exist": "create it, or correct EVERFIT_DATABASE_URL",
}
LOCATIONS = """{
  workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { ... on PythonError { message } } } } }
  instance { daemonHealth { allDaemonStatuses { daemonType lastHeartbeatTime required } } }
}"""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check: ``message`` describes it, ``todo`` is the remedy and empty where nothing is wrong."""

    name: str
    message: str
    todo: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is to be done."""
        return not self.todo


def connections(addresses: Mapping[str, str], *, lake_is_here: bool = True) -> list[Check]:
    """Check each part that has an address, by the names of :class:`everfit.environment.settings.Settings`.

    ``lake_is_here`` is False where the lake's address is not configured: it may be out of reach of this machine.
    """
    checks: dict[str, Callable[[str], Check]] = {
        "database_url": _database,
        "kafka": _kafka,
        "mlflow": _mlflow,
        "dagster": _dagster,
        "serving": _serving,
        "lake": partial(_lake, addresses.get("database_url", ""), lake_is_here),
    }
    return [check(addresses[name]) for name, check in checks.items() if name in addresses]


def shared(settings: "Settings") -> list[Check]:
    """Whether serving uses the same Postgres, Kafka and MLflow as this command; no check where serving does not answer."""
    import msgspec

    from everfit.stack.parts_in_use import Uses, differences, uses

    answer = _get(f"{settings.serving.rstrip('/')}/uses", settings.token)
    if isinstance(answer, str):
        return []
    if answer.status_code != 200:
        how = "requires a token: set EVERFIT_SERVING_TOKEN" if answer.status_code == 401 else f"answers {answer.status_code}"
        return [Check("one stack", f"cannot be checked: serving {how}")]
    todo = "give both the same addresses; predictions and outcomes in different places are never joined"
    theirs = msgspec.json.decode(answer.content, type=Uses)
    differing = [Check("one stack", f"serving works with {each}", todo) for each in differences(uses(settings), theirs)]
    alike = Check("one stack", "serving works with the Postgres, Kafka and MLflow of this command")
    return [*(differing or [alike]), *(_lack(*each) for each in theirs.lacks.items())]


def _lack(candidate: str, package: str) -> Check:
    """What serving says that it lacks for versions that answer from a process of their own."""
    install = "install it where serving runs, and name it in requirements.txt beside the models, from which the image installs"
    return Check(f"candidate {candidate}", f"serving lacks {package}, from which its versions answer", install)


def _database(url: str) -> Check:
    """Connects, and finds the schema of this version."""
    import psycopg

    where = masked(url)
    try:
        with psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=TIMEOUT_SECONDS) as connection:
            return _schema(connection, where)
    except psycopg.OperationalError as error:
        message = masked(" ".join(str(error).split()))
        start = "start Postgres (`everfit up`), or correct host and port in EVERFIT_DATABASE_URL"
        todo = next((todo for words, todo in REFUSALS.items() if words in message), start)
        return Check("database", f"{where}: {message}", todo)


def _schema(connection: "psycopg.Connection[tuple[object, ...]]", where: str) -> Check:
    from alembic.script import ScriptDirectory

    from everfit.store.database import MIGRATIONS

    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    (exists,) = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone() or (False,)
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if exists else None
    if row is None:
        return Check("database", f"{where} has no schema of everfit", PREPARE)
    if row[0] != head:
        return Check("database", f"{where} has schema {row[0]}; this everfit needs {head}", PREPARE)
    return Check("database", f"{where}, schema {head}")


def _kafka(bootstrap: str) -> Check:
    """Answers, and has the topics."""
    from kafka.errors import KafkaError

    from everfit.topics.admin import TOPICS, partitions

    try:
        there = partitions(bootstrap)
    except (KafkaError, EverfitError) as error:
        return Check("Kafka", f"{bootstrap}: {error}", "start Kafka (`everfit up`), or correct EVERFIT_KAFKA_BOOTSTRAP")
    missing = [topic for topic in TOPICS if topic not in there]
    if missing:
        return Check("Kafka", f"{bootstrap} has no topic {', '.join(missing)}", PREPARE)
    return Check("Kafka", f"{bootstrap}, partitions: " + ", ".join(f"{topic} {there[topic]}" for topic in TOPICS))


def _mlflow(url: str) -> Check:
    """Answers a request that only MLflow understands."""
    todo = "start MLflow (`everfit up`), or correct MLFLOW_TRACKING_URI"
    answer = _get(f"{url.rstrip('/')}/api/2.0/mlflow/registered-models/search?max_results=1")
    if isinstance(answer, str):
        return Check("MLflow", f"{url}: {answer}", todo)
    if answer.status_code == 403:
        return Check("MLflow", f"{url}: {answer.text[:100]}", "name this host in MLflow's MLFLOW_SERVER_ALLOWED_HOSTS")
    return Check("MLflow", url if answer.status_code == 200 else f"{url} answers {answer.status_code}", _unless(answer, todo))


def _dagster(url: str) -> Check:
    """The webserver answers, the definitions loaded, the daemon is alive."""
    from everfit.dagster_api.client import GraphQL

    try:
        with GraphQL(url, TIMEOUT_SECONDS) as dagster:
            answer = dagster.execute(LOCATIONS)
        entries = answer["workspaceOrError"]["locationEntries"]
    except (ServiceError, KeyError) as error:
        start = "start Dagster's webserver (`everfit up`), or correct EVERFIT_DAGSTER_URL"
        return Check("Dagster", f"{url}: {error or type(error).__name__}", start)
    for entry in entries:
        if why := (entry["locationOrLoadError"] or {}).get("message"):
            return Check("Dagster", f"{url} cannot load {entry['name']}: {why.strip()}", "see the code location's log")
    daemons = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    since = time.time() - HEARTBEAT_SECONDS
    asleep = [each["daemonType"] for each in daemons if each["required"] and (each["lastHeartbeatTime"] or 0.0) < since]
    if asleep:
        return Check("Dagster", f"{url}: no heartbeat from {', '.join(asleep)}", "start Dagster's daemon (`everfit up`)")
    return Check("Dagster", f"{url}, with {', '.join(entry['name'] for entry in entries)}; the daemon is alive")


def _serving(url: str) -> Check:
    """Is live, and has read which versions to serve."""
    live, ready = (_get(f"{url.rstrip('/')}/v2/health/{probe}") for probe in ("live", "ready"))
    if isinstance(live, str) or live.status_code != 200:
        why = live if isinstance(live, str) else f"answers {live.status_code}"
        return Check("serving", f"{url}: {why}", "start serving (`everfit up`), or correct EVERFIT_SERVING_URL")
    if isinstance(ready, str) or ready.status_code != 200:
        return Check(
            "serving", f"{url} is live, but has not read every model's roles", "check that it can reach MLflow and Postgres"
        )
    return Check("serving", url)


def _lake(database_url: str, is_here: bool, folder: str) -> Check:
    """Contains what the database refers to, and is writable; a missing folder is created by its first writer."""
    absent = database_url and _absent(database_url, Path(folder))
    if absent and not is_here:
        return Check(
            "lake", f"EVERFIT_LAKE is not set, and {folder} is not the deployment's lake: run commands that need it where it is"
        )
    if absent:
        todo = "set EVERFIT_LAKE to the lake of this deployment, or run the command where the lake is; restore a lost lake"
        return Check("lake", f"{folder} does not contain {absent}, which the database refers to", todo)
    existing = next(parent for parent in [Path(folder), *Path(folder).absolute().parents] if parent.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        return Check("lake", f"{folder}: {error.strerror}", f"let this user write to {existing}, or change EVERFIT_LAKE")
    return Check("lake", f"{folder} is writable")


def _absent(database_url: str, lake: Path) -> str:
    """Hash of the newest object that the database refers to, if the lake lacks it; empty if the database does not answer."""
    import psycopg

    try:
        with psycopg.connect(database_url.replace("+psycopg", "", 1), connect_timeout=TIMEOUT_SECONDS) as connection:
            newest = (  # an observed day of a source is not an object: its version is a count
                "SELECT hash FROM partition_versions WHERE length(hash) = %s ORDER BY made_at DESC, dataset, partition LIMIT 1"
            )
            row = connection.execute(newest, [DIGEST_LENGTH]).fetchone()
    except psycopg.Error:
        return ""
    return "" if row is None or any(lake.glob(f"{row[0][:2]}/{row[0]}.*")) else str(row[0])


def _get(url: str, token: str = "") -> "httpx.Response | str":
    """The response, or the reason why there is none."""
    import httpx

    try:
        return http_client.get(url, timeout=3 * TIMEOUT_SECONDS, token=token)
    except (httpx.HTTPError, SettingsError) as error:
        return str(error) or type(error).__name__


def _unless(answer: "httpx.Response", todo: str) -> str:
    return "" if answer.status_code == 200 else todo
