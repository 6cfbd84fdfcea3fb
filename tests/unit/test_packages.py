"""Packages that a recipe needs and an environment lacks: which process says so, and what it goes on with."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from everfit import BinaryClassification, Recipe, Sklearn
from everfit.declaration.recipe_imports import lacking
from everfit.doctor.package_checks import package_checks
from everfit.environment.requirements import unmet
from everfit.errors import RecipeError
from everfit.training.recipe_fit import fit_recipe
from models.electricity_price import electricity_price
from tests.estimators import FEATURES, made_rows

ROOT = Path(__file__).parents[2]
MODULE = """
from everfit import Sklearn
from everfit.drills.models import drill
def boosted():
    from absent_boosting import Booster
    return Booster()
near = Sklearn("near", boosted, native=["absent_kernels.Kernel"])
MODEL = drill.drill.model_copy(update={"candidates": [Sklearn("boosted", boosted), near]})
"""


def boosted() -> Any:
    """An estimator of a package that is not there, and one that it does without."""
    import absent_boosting  # type: ignore[import-not-found]

    try:
        from absent_helper import helped  # type: ignore[import-not-found]
    except ImportError:
        helped = None
    return absent_boosting.Booster(helped)


class Own(Recipe):
    name: str = "own"

    def fit(self, rows: Any, context: Any) -> Any:
        from absent_package.parts import learn  # type: ignore[import-not-found]

        return learn()


def test_what_candidates_import_and_their_versions_hold_is_looked_for() -> None:
    near = Sklearn("near", LogisticRegression(), native=["absent_kernels.Kernel", "sklearn.tree._tree.Tree"])
    candidates = [Sklearn("boosted", boosted), Own(), near, *electricity_price.candidates]
    model = electricity_price.model_copy(update={"candidates": candidates})
    assert [(each.recipe, each.package, each.answering) for each in lacking({model.name: model})] == [
        ("boosted", "absent_boosting", False),
        ("own", "absent_package", False),
        ("near", "absent_kernels", True),
    ]


@pytest.mark.parametrize(("recipe", "module"), [(Sklearn("boosted", boosted), "absent_boosting"), (Own(), "absent_package")])
def test_a_fit_says_which_module_is_not_there_and_its_settings_are_recorded_all_the_same(recipe: Recipe, module: str) -> None:
    assert recipe.parameters()["name"] == recipe.name
    with pytest.raises(RecipeError, match=rf"recipe {recipe.name}: there is no module '{module}' here; .*requirements\.txt"):
        fit_recipe(recipe, made_rows(50), task=BinaryClassification(label="late"), features=FEATURES, label="late")


def test_requirements_are_compared_with_what_is_installed(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    asked_for = ["# of the recipes", "numpy>=1", "absent-boosting>=2  # trees", "scikit-learn>=99", "", "-c other.txt"]
    file.write_text("\n".join([*asked_for, "absent; python_version < '3'"]))
    asked, newer = unmet(file)
    assert asked == "absent-boosting>=2, which is not installed"
    assert newer.startswith("scikit-learn>=99, and installed is 1.")


def test_doctor_names_the_process_that_lacks_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacking_models").mkdir()
    (tmp_path / "lacking_models" / "model.py").write_text(MODULE)
    (tmp_path / "lacking_models" / "requirements.txt").write_text("absent-boosting>=2\n")
    monkeypatch.chdir(tmp_path)
    file, first, second, third = package_checks({"EVERFIT_MODELS": "lacking_models"})
    assert f"requirements.txt asks for absent-boosting>=2, which is not installed in {sys.prefix}" in file.message
    assert file.todo.startswith("run `pip install -c constraints.txt -r ")
    assert (first.name, first.ok) == ("candidate boosted of drill", False)
    assert first.message.endswith("lack absent_boosting, and set it aside; serving does not need it: its graph answers")
    assert second.message.partition(" lack ")[2].startswith("absent_boosting")
    assert third.message.endswith("lack absent_kernels, and set it aside; so does serving there")


@pytest.mark.parametrize("package", ["models", "teams.pumps"])
def test_setup_installs_what_the_models_require_by_the_pins(tmp_path: Path, package: str) -> None:
    folder = tmp_path / package.replace(".", "/")
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("lightgbm\n")
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    command = ["make", "-n", "-f", str(ROOT / "Makefile"), "setup", f"PYTHON={sys.executable}", f"EVERFIT_MODELS={package}"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert f"-c constraints.txt -r {package.replace('.', '/')}/requirements.txt\n" in told
    (folder / "requirements.txt").unlink()
    assert " -r " not in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
