"""The services of docker-compose.yml by their own commands, environment and health checks, on embedded parts."""

import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import httpx
import psycopg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.tags import GRPC_INFO_TAG

from everfit.dagster_api.automation import automations
from everfit.stack.ports import LOCAL, any_free
from everfit.stack.postgres import Postgres, _server
from everfit.store.lake import Lake
from everfit.waiting import wait_until
from tests.brokers import running_broker
from tests.compose import ROOT, SECRETS, Here, composed

RULES = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
PORTS = {"mlflow": 5000, "code": 4000, "webserver": 3000, "serving": 8000}


@pytest.fixture(scope="module")
def postgres_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server over TCP that asks for passwords, its databases made by the script that the container runs."""
    server, port = Postgres(tmp_path_factory.mktemp("composed").resolve() / "data"), any_free()
    server.start()
    server.stop()
    (server.data / "pg_hba.conf").write_text(RULES)
    handle = _server(server.data)
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {server.data}"
    command = [str(handle.bin_path / "pg_ctl"), "-D", str(server.data), "-l", str(server.log), "-w", "-o", options, "start"]
    subprocess.run(command, user=handle.system_user, check=True, stdout=subprocess.DEVNULL)
    try:
        _initialise(server, port, handle.bin_path)
        yield port
    finally:
        server.stop()


def _initialise(server: Postgres, port: int, programs: Path) -> None:
    """Run the container's script as its image does."""
    told = composed()["services"]["postgres"]
    given = {**told["environment"], "PGHOST": str(server.data), "PGPORT": str(port), "PATH": f"{programs}:{os.environ['PATH']}"}
    script = ROOT / "deploy" / "postgres" / "databases.sh"
    subprocess.run([script], env=given, check=True)


@pytest.fixture(scope="module")
def here(postgres_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """All of everfit's services, healthy."""
    folder = tmp_path_factory.mktemp("containers")
    with running_broker() as kafka:
        ports = {name: any_free() for name in PORTS}
        places = {"kafka:19092": kafka, "postgres:5432": f"{LOCAL}:{postgres_port}", "0.0.0.0": LOCAL}
        for name, port in PORTS.items():
            places |= {f"{host}:{port}": f"{LOCAL}:{ports[name]}" for host in (name, LOCAL)}
        places |= {"/var/lib": str(folder), "/app/dagster": str(folder / "image")}
        words = {str(port): str(ports[name]) for name, port in PORTS.items()}
        here = Here(folder, places, words | {"5432": str(postgres_port), "postgres": LOCAL, "code": LOCAL})
        _lay_out(here)
        try:
            here.up()
            yield here
        finally:
            here.down()


def _lay_out(here: Here) -> None:
    """The image's files, with the addresses of this machine."""
    for folder in ("image", "everfit/home", "dagster", "mlflow"):
        (here.folder / folder).mkdir(parents=True)
    for name in ("dagster.yaml", "workspace.yaml"):
        told = re.split(r"(?<=[ }\n])|(?=[}\n])", (ROOT / "deploy" / name).read_text())
        (here.folder / "image" / name).write_text("".join(here.translated(word) for word in told))


def test_doctor_finds_every_connection_right(here: Here) -> None:
    assert "serving requires a token: set EVERFIT_SERVING_TOKEN" in here.run("code", "everfit", "doctor").stdout
    told = here.run("serving", "everfit", "doctor")
    assert "with everfit; the daemon is alive" in told.stdout
    assert "serving works with the Postgres, Kafka and MLflow of this command" in told.stdout
    wrong = [line for line in told.stdout.splitlines() if not line.startswith("ok")]
    assert len(wrong) == 1, told.stdout + told.stderr
    assert wrong[0].startswith("WRONG automation: off: backfill_")
    assert wrong[0].endswith("→ turn it on in Dagster, under Automation")
    assert not any(secret in told.stdout + told.stderr for secret in SECRETS.values())


def test_status_tells_what_acts_and_nothing_of_an_embedded_stack(here: Here) -> None:
    told = here.run("code", "everfit", "status")
    assert told.returncode == 0, told.stdout + told.stderr
    first, *rest = told.stdout.splitlines()
    assert first == "the environment names every server, none of them embedded: `everfit doctor` asks each"
    assert [line.split()[1] for line in rest if line.startswith("prediction_log ")] == ["off"]
    assert json.loads(here.run("code", "everfit", "status", "--json").stdout)["up"] is None


def test_serving_answers_those_who_have_the_token(here: Here) -> None:
    url = here.environment("code")["EVERFIT_SERVING_URL"]
    assert httpx.get(f"{url}/v2", trust_env=False).status_code == 401
    with_token = {"Authorization": f"Bearer {SECRETS['EVERFIT_SERVING_TOKEN']}"}
    assert httpx.get(f"{url}/v2", headers=with_token, trust_env=False).status_code == 200


def test_a_report_of_the_sensors_opens_in_a_browser_of_this_machine(here: Here) -> None:
    given = here.environment("code")
    digest = Lake(Path(given["EVERFIT_LAKE"])).put(b"<p>drift</p>", "html")
    page = f"{given['EVERFIT_SERVING_PAGES']}/reports/{digest}"
    shown = httpx.get(page, auth=("anybody", SECRETS["EVERFIT_SERVING_TOKEN"]), trust_env=False)
    assert (shown.status_code, shown.text) == (200, "<p>drift</p>")


def test_the_last_tick_is_told_whatever_port_the_code_location_had(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in here.environment("code").items():
        if name.startswith("DAGSTER_POSTGRES"):
            monkeypatch.setenv(name, value)
    location = GrpcServerCodeLocationOrigin(host=LOCAL, port=any_free(), location_name="everfit")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), "prediction_log")
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED, SensorInstigatorData())
    tick = TickData(
        instigator_origin_id=origin.get_id(),
        instigator_name="prediction_log",
        instigator_type=InstigatorType.SENSOR,
        status=TickStatus.SKIPPED,
        timestamp=1_767_300_000.0,
        selector_id=state.selector_id,
        skip_reason="read 7 rows",
    )
    with dg.DagsterInstance.from_config(str(here.folder / "image")) as instance:
        instance.add_instigator_state(state)
        instance.create_tick(tick)
        try:
            told = automations(here.environment("code")["EVERFIT_DAGSTER_URL"], time.time())
        finally:
            instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)
    (sensor,) = [one for one in told if one.name == "prediction_log"]
    assert (sensor.last_tick, sensor.last_tick_at) == ("skipped", datetime.fromtimestamp(tick.timestamp, UTC))


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_run_that_died_with_its_code_server_has_failed(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in here.environment("code").items():
        if name.startswith("DAGSTER_POSTGRES"):
            monkeypatch.setenv(name, value)
    server = {"host": LOCAL, "port": int(here.translated("4000"))}  # which has started anew, and knows of no run
    lost = dg.DagsterRun(
        job_name="lost",
        run_id=str(uuid.uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        tags={GRPC_INFO_TAG: json.dumps(server)},
    )
    with dg.DagsterInstance.from_config(str(here.folder / "image")) as instance:
        instance.add_run(lost)
        wait_until(lambda: status(instance, lost.run_id), lambda now: now == dg.DagsterRunStatus.FAILURE, "the run to fail;")


def test_each_user_has_its_own_database_and_no_other(postgres_port: int) -> None:
    def connect(user: str, password: str, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(host=LOCAL, port=postgres_port, user=user, password=SECRETS[password], dbname=database)

    with connect("mlflow", "EVERFIT_MLFLOW_PASSWORD", "mlflow") as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect("mlflow", "EVERFIT_MLFLOW_PASSWORD", "everfit")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect("postgres", "EVERFIT_POSTGRES_PASSWORD", "postgres")


def test_no_secret_is_in_a_log(here: Here) -> None:
    logs = [file.read_text(errors="replace") for file in here.folder.glob("*.log")]
    assert len(logs) == 7
    assert not [name for name, secret in SECRETS.items() for log in logs if secret in log]
