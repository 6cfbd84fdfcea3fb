"""What all tests share: an environment of their own, so that none meets a stack that a person has up."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from everfit.environment.settings import VARIABLES
from everfit.stack.ports import VARIABLES as PORTS
from everfit.training import fit_process
from everfit.training.gradient_boosting import GradientBoosting
from everfit.training.mlp import TorchMLP

settings.register_profile("everfit", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
settings.register_profile("ci", settings.get_profile("everfit"), derandomize=True)  # the same commit, the same examples
settings.load_profile("ci" if os.environ.get("CI") else "everfit")

pytest_plugins = ["tests.extensions"]
fit_process.LOADED = (
    *fit_process.LOADED,
    *GradientBoosting.packages,
    *TorchMLP.packages,
)  # for all tests of a process, whichever fits first
_folder = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Work in a folder of this process alone: every other session that starts shuts the usual one to Postgres' user.

    That of a worker beside others would lie too deep for Postgres' socket.
    """
    if config.option.basetemp is None or hasattr(config, "workerinput"):
        config.stash[_folder] = Path(tempfile.mkdtemp(prefix="everfit-tests-"))
        config.option.basetemp = str(config.stash[_folder] / "session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A log that holds half a character can be sent to the process that prints it."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it."""
    if _folder in config.stash:
        shutil.rmtree(config.stash[_folder], ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """No module meets what another left in the environment, as MLflow's client does with its address."""
    before = dict(os.environ)
    for variable in VARIABLES.values():
        os.environ.pop(variable, None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of this test's stack, which is not up; no address and no port is set."""
    for variable in [*VARIABLES.values(), *PORTS.values(), "EVERFIT_MODELS", "EVERFIT_AUTOMATION"]:
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "home"
    monkeypatch.setenv("EVERFIT_HOME", str(folder))
    return folder
