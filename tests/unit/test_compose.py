"""docker-compose.yml and the image: accepted by Compose, no secret of their own, and nothing named in them is missing."""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

from everfit.environment.variables import SHAPES
from everfit.stack.dagster_home import write_dagster_home
from tests.compose import DOCKERFILE, FILE, ROOT, SECRETS, binary, composed, image_environment, ours, required

SERVICES: dict[str, Any] = composed()["services"]
OURS = ours(SERVICES)
PROGRAMS = {"prepare": "everfit.cli.prepare", "code": "orchestration.definitions", "serving": "everfit.serving.__main__"}
# Read by all with the addresses, used by one.
OF_ONE = {
    "EVERFIT_SERVING_TOKEN": "serving",
    "EVERFIT_LOOKUP_TIMEOUT": "serving",
    "EVERFIT_MLFLOW_PAGES": "code",
    "EVERFIT_SERVING_PAGES": "code",
}
OF_COMMANDS = ("EVERFIT_PATIENCE",)  # read by who waits for a deployment, and by none of its services
# The file's own Kafka speaks plain text, on the network of the containers.
OF_ANOTHER_KAFKA = ("EVERFIT_KAFKA_SECURITY", "EVERFIT_KAFKA_SASL", "EVERFIT_KAFKA_SSL")
OF_THE_EMBEDDED_STACK = ("EVERFIT_STACK",)  # set by `everfit up` on what it starts
CHOSEN = {
    "EVERFIT_MODELS": "mine",
    "EVERFIT_MLFLOW_PAGES": "https://mlflow.example",
    "EVERFIT_SERVING_PAGES": "https://serving.example",
    "EVERFIT_AUTOMATION": "on",
    "EVERFIT_TRAININGS_AT_ONCE": "3",
    "EVERFIT_HEARTBEAT_URL": "https://beats.example/T0",
    "EVERFIT_ALERT_WEBHOOK": "https://hooks.example/T0",
    "EVERFIT_ALERT_REMINDER": "2h",
    "EVERFIT_ALERT_SILENCE": "1h",
    "EVERFIT_ALERT_DEAD_LETTERS": "20%",
    "EVERFIT_ALERT_COMPARATORS": "50%",
    "EVERFIT_ALERT_LAG": "30m",
    "EVERFIT_LOG_FORMAT": "inference_table",
}
STATE = {"storage", "local_artifact_storage", "compute_logs", "run_launcher"}

compose_is_here = pytest.mark.skipif(binary() is None, reason="no docker-compose on PATH or in ../shared/bin")


def config(environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [str(binary()), "-f", str(FILE), "config", "-q"]
    given = {**environ, "PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


@compose_is_here
@pytest.mark.parametrize("environ", [SECRETS, SECRETS | CHOSEN], ids=["needed", "chosen too"])
def test_compose_accepts_it_with_the_variables_it_needs(environ: dict[str, str]) -> None:
    accepted = config(environ)
    assert (accepted.returncode, accepted.stderr) == (0, "")


@compose_is_here
@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_compose_refuses_it_without_one_and_names_it(missing: str) -> None:
    refused = config({name: value for name, value in SECRETS.items() if name != missing})
    assert refused.returncode != 0
    assert f"required variable {missing} is missing a value: set it to" in refused.stderr


def variables_of(program: str) -> set[str]:
    """The documented variables that are named in a program's module and in all that it imports, whenever it does."""
    graph = grimp.build_graph("everfit", "monitors", "assets", "orchestration", cache_dir=None)
    modules = (graph.find_upstream_modules(program) | {program}) - {"everfit.environment.variables"}
    paths = [ROOT / module.replace(".", "/") for module in modules]
    texts = [(path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text() for path in paths]
    return {name for name in SHAPES for text in texts if re.search(rf"\b{name}\b", text)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_service_is_given_every_variable_that_its_program_reads(name: str) -> None:
    read = {variable for variable in variables_of(PROGRAMS[name]) if OF_ONE.get(variable, name) == name}
    given = image_environment() | OURS[name]["environment"]
    assert {
        variable
        for variable in read - given.keys()
        if not variable.startswith(OF_ANOTHER_KAFKA + OF_THE_EMBEDDED_STACK + OF_COMMANDS)
    } == set()


def test_what_a_person_chooses_is_passed_on() -> None:
    given = composed(SECRETS | CHOSEN)["services"]["code"]["environment"]
    assert {name: given[name] for name in CHOSEN} == CHOSEN
    links = {name: OURS["code"]["environment"][name] for name in ("EVERFIT_MLFLOW_PAGES", "EVERFIT_SERVING_PAGES")}
    assert list(links.values()) == ["http://127.0.0.1:5000", "http://127.0.0.1:8000"]


def test_what_it_needs_are_the_secrets_and_none_has_a_default() -> None:
    assert required() == SECRETS.keys()
    raw = yaml.safe_load(FILE.read_text())["services"]
    secret = [
        value
        for service in raw.values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|TOKEN|SECRET", name)
    ]
    assert secret
    assert all(re.fullmatch(r"\$\{EVERFIT_\w+:\?.+\}", value) for value in secret)


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 5
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_restarts_and_says_whether_it_is_well(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":\d+(\.\d+)+$", service["image"])
    assert service["restart"] == ("no" if name == "prepare" else "unless-stopped")
    assert ("healthcheck" in service) == (name != "prepare")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_can_be_waited_for(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        wanted = "service_healthy" if "healthcheck" in SERVICES[other] else "service_completed_successfully"
        assert how["condition"] == wanted


@pytest.mark.parametrize("name", OURS)
def test_every_address_is_that_of_a_service_and_a_port_it_listens_on(name: str) -> None:
    told = " ".join(str(value) for value in OURS[name].get("environment", {}).values())
    for host, port in re.findall(r"[@/ ]([a-z]+):(\d+)", f" {told}"):
        listening = [*OURS[host]["command"]] if host in OURS else str(SERVICES[host])
        assert port in listening or host == "postgres", f"{host}:{port}"


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_the_image_has(name: str) -> None:
    scripts = {script.name for script in importlib.metadata.entry_points(group="console_scripts")} | {"python"}
    commands = [OURS[name]["command"]]
    if "healthcheck" in OURS[name]:
        commands.append(OURS[name]["healthcheck"]["test"][1:])
    for command in commands:
        assert command[0] in scripts
        for option, module in pairwise(command):
            if option == "-m":
                assert importlib.util.find_spec(module), module
            if option == "--workspace":
                assert module in copied_to()


def test_every_volume_is_declared_and_its_folder_belongs_to_the_user_of_the_image() -> None:
    made = set(re.findall(r"/var/lib/\S+", DOCKERFILE.read_text()))
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            assert (ROOT / source).is_dir() if source.startswith(".") else source in composed()["volumes"]
            assert name not in OURS or target in made


def test_what_the_image_copies_is_there_and_not_left_out_of_the_context() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source in let_in
    assert sorted(let_in) == sorted(copied())


def test_what_the_models_require_is_installed_by_the_pins_where_the_image_is_built() -> None:
    build = DOCKERFILE.read_text().partition("COPY --from=build")[0]
    assert "COPY models models\nRUN if test -f models/requirements.txt; then pip install -c constraints.txt -r " in build


def test_the_image_has_no_root_no_secret_and_no_address_of_an_index() -> None:
    text = DOCKERFILE.read_text()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["everfit"]
    assert "://" not in text
    assert not [name for name in image_environment() if re.search("PASSWORD|TOKEN|SECRET", name)]
    assert f"torch=={importlib.metadata.version('torch').partition('+')[0]}" in text
    assert "'.[models]'" in text, "what the declared models read is an extra"
    for pinned in re.findall(r"torch==\S+", text):
        assert pinned in (ROOT / "constraints.txt").read_text().splitlines()


def test_dagster_runs_there_as_in_the_embedded_stack_but_for_where_its_state_lies(home: Path) -> None:
    there = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    here = json.loads((write_dagster_home(home, "postgresql://", 4000) / "dagster.yaml").read_text())
    shared = [{key: value for key, value in instance.items() if key not in STATE} for instance in (there, here)]
    assert shared[0] == shared[1], "change deploy/dagster.yaml and everfit/stack/dagster_home.py together"
    assert there.keys() == here.keys()


def copied() -> list[str]:
    """What the Dockerfile copies from the context."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE.read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def copied_to() -> set[str]:
    """The files that the last stage holds, by the paths that they have there."""
    (line,) = re.findall(r"^COPY (.*) /app/dagster/$", DOCKERFILE.read_text(), re.MULTILINE)
    return {f"/app/dagster/{Path(source).name}" for source in line.split()}
