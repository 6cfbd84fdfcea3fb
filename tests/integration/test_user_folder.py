"""A folder whose modules are called like everfit's own: every process imports everfit's, and says what to rename."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.stack import health, ports
from everfit.stack.postgres import Postgres
from everfit.stack.processes import spawn
from everfit.stack.services import Service, build
from everfit.waiting import wait_until

ROOT = Path(__file__).parents[2]
MODEL = "from everfit.drills.models.drill import drill\nimport beside\n"
FORKED = """
import json, multiprocessing, sys
from dagster import DagsterInstance
def imported():
    import assets, monitors, orchestration, mine.a
    print(*(module.__file__ for module in (assets, monitors, orchestration, mine.a)), sep="\\n", flush=True)
if __name__ == "__main__":
    with DagsterInstance.get() as instance:
        worker = instance.run_launcher._workers.Process(target=imported)
        worker.start()
        worker.join()
        sys.exit(worker.exitcode)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with modules of everfit's names, one of its own, and a model."""
    for name in ("assets", "monitors", "orchestration", "beside"):
        (tmp_path / f"{name}.py").write_text("TABLE = 'theirs'\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "a.py").write_text(MODEL)
    return tmp_path


@pytest.fixture
def services(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Service]:
    """What `everfit up` would start there, the folder being on PYTHONPATH, too."""
    home = folder / ".everfit"
    (home / "dagster").mkdir(parents=True)
    launcher = "run_launcher: {module: orchestration.launcher, class: PreloadedRunLauncher}\ntelemetry: {enabled: false}\n"
    (home / "dagster" / "dagster.yaml").write_text(launcher)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")
    monkeypatch.setenv("EVERFIT_MODELS", "mine")
    free = {name: ports.any_free() for name in ("broker", "mlflow", "code", "dagster", "serving")}
    return {service.name: service for service in build(home, folder, Postgres(home / "postgres"), free)}


def run(folder: Path, service: Service, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A program with the interpreter, the flags and the environment of a service."""
    command = [*service.command[: service.command.index("-m")], *arguments]
    environment = {**os.environ, **service.environment}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_the_code_server_loads_our_definitions_of_their_model(folder: Path, services: dict[str, Service]) -> None:
    code = services["code"]
    with spawn(code.command, code.environment, folder, folder / "code.log") as server:
        try:
            wait_until(
                lambda: server.poll() is not None or health.grpc(f"127.0.0.1:{code.port}", "DagsterApi"), bool, "an answer;"
            )
            assert server.poll() is None, (folder / "code.log").read_text()
        finally:
            server.terminate()


def test_the_daemon_finds_our_launcher_and_its_workers_our_packages(folder: Path, services: dict[str, Service]) -> None:
    (folder / "forked.py").write_text(FORKED)
    ran = run(folder, services["daemon"], str(folder / "forked.py"))
    assert ran.returncode == 0, ran.stderr
    ours = [str(ROOT / name / "__init__.py") for name in ("assets", "monitors", "orchestration")]
    assert ran.stdout.splitlines() == [*ours, str(folder / "mine" / "a.py")]


@pytest.mark.parametrize("start", [["-m", "everfit.cli.main"], ["-P", "-m", "everfit.cli.main"]])
def test_a_command_finds_their_model_and_the_doctor_tells_what_is_hidden(
    folder: Path, monkeypatch: pytest.MonkeyPatch, start: list[str]
) -> None:
    monkeypatch.setenv("EVERFIT_MODELS", "mine")
    monkeypatch.setenv("EVERFIT_HOME", str(folder / ".everfit"))
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")
    command = [sys.executable, *start, "doctor"]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    assert "ok    models: drill" in told
    for name in ("assets", "monitors", "orchestration"):
        hidden = f"{folder}/{name}.py is hidden by {ROOT}/{name}/__init__.py"
        assert f"WRONG models: {hidden} → rename it" in told
    assert "beside" not in told
