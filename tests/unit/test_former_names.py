"""Former names work, and each warns with the new one; the front door loads nothing that is not used."""

import pkgutil
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import everfit
from everfit.declaration.discovery import load_models
from everfit.environment.former_names import NAMES


def said(warning: warnings.WarningMessage) -> str:
    """Its message."""
    return str(warning.message)


@pytest.mark.parametrize(("former", "new"), NAMES.items())
def test_a_former_name_leads_to_the_new_one_and_warns(former: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, attribute = former.partition(":")
    for loaded in [name for name in sys.modules if f"{name}.".startswith(f"{module}.") and module in NAMES]:
        monkeypatch.delitem(sys.modules, loaded)
    home, _, present = new.partition(":")
    with pytest.warns(DeprecationWarning, match="the former name goes with the next version") as warned:
        value = pkgutil.resolve_name(former)
    assert f"{former} is now {new}; the former name goes with the next version".replace(":", ".") in map(said, warned)
    if attribute:
        assert value is getattr(import_module(home), present)
    else:
        public = [name for name in vars(import_module(home)) if not name.startswith("__")]
        assert all(getattr(value, name) is getattr(import_module(home), name) for name in public)


def test_a_name_that_never_was_is_told_as_python_does() -> None:
    for module in ("everfit", "everfit.features", "everfit.policy"):
        with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'nothing'"):
            _ = import_module(module).nothing
    with pytest.raises(ModuleNotFoundError):
        import_module("everfit.stack.nothing")


def test_models_are_found_in_a_package_under_its_former_name() -> None:
    for loaded in [name for name in sys.modules if name.startswith("monitors.drills")]:
        del sys.modules[loaded]
    with pytest.warns(DeprecationWarning, match="the former name goes with the next version") as warned:
        assert list(load_models("monitors.drills.declared")) == ["drill"]
    assert any("monitors.drills.declared is now everfit.drills.models;" in message for message in map(said, warned))


@pytest.mark.parametrize(
    ("command", "new"),
    [
        (["everfit.healthcheck", "http", "http://127.0.0.1:1"], "everfit.stack.healthcheck"),
        (["everfit.embedded"], "everfit.stack"),
    ],
)
def test_a_former_command_runs_and_its_user_is_shown_the_new_one(command: list[str], new: str) -> None:
    ran = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    assert f"DeprecationWarning: {command[0]} is now {new};" in ran.stderr
    assert ran.returncode == 1


def test_an_instance_of_dagster_finds_the_launcher_under_its_former_name() -> None:
    script = "from orchestration.watched import WatchedRunLauncher as launcher; print(launcher.__module__)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "orchestration.server_launcher\n"


def test_what_a_model_file_needs_comes_from_everfit_itself() -> None:
    assert len(set(everfit.__all__)) == len(everfit.__all__)
    homes = {
        "AfterRows": "everfit.policy.after_rows",
        "AllOf": "everfit.policy.composed",
        "AnyOf": "everfit.policy.composed",
        "GradientBoosting": "everfit.training.gradient_boosting",
        "Keras": "everfit.training.keras_recipe",
        "Majority": "everfit.policy.composed",
        "OnDrift": "everfit.policy.on_drift",
        "Regret": "everfit.policy.regret",
        "Search": "everfit.training.searching",
        "Sklearn": "everfit.training.sklearn_recipe",
        "Timer": "everfit.policy.timer",
        "Torch": "everfit.training.torch_recipe",
        "TorchMLP": "everfit.training.mlp",
    }
    for name in everfit.__all__:
        assert getattr(everfit, name) is getattr(import_module(homes.get(name, "everfit.declaration")), name)


def test_the_errors_are_imported_without_the_declaration() -> None:
    script = "import sys, everfit.errors; print(*sorted(set(sys.modules) & {'pydantic', 'everfit.declaration'}))"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert ran.stdout == "\n"
