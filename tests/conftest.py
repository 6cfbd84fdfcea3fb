"""What all tests share: an environment of their own, so that none meets a stack that a person has up."""

from pathlib import Path

import pytest

from everfit.embedded.ports import VARIABLES as PORTS
from everfit.settings import VARIABLES


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of this test's stack, which is not up; no address and no port is set."""
    for variable in [*VARIABLES.values(), *PORTS.values(), "EVERFIT_MODELS"]:
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "home"
    monkeypatch.setenv("EVERFIT_HOME", str(folder))
    return folder
