"""CatBoost, by its own exporter, in a Pipeline of scikit-learn's. Its package is large: `make interop` installs it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline

from everfit import BinaryClassification, MulticlassClassification, Regression, Sklearn, Task
from everfit.errors import RecipeError
from everfit.testing import check_recipe
from everfit.training.recipe_fit import fit_recipe
from tests import estimators
from tests.estimators import FEATURES, made_rows

catboost: Any = pytest.importorskip("catboost", reason="catboost is installed by `make interop` alone: 97 MB")

LATE, MINUTES = BinaryClassification(label="late"), Regression("minutes")
BAND = MulticlassClassification("band", ["night", "day", "evening"])
BANDS = pl.Series(["night", "day", "evening"])
ROWS = made_rows(300).with_columns(pl.col("hour").floordiv(8).replace_strict([0, 1, 2], BANDS).alias("band"))
NUMBERS = [feature for feature in FEATURES if feature[1] == "number"]


def classifier(**settings: Any) -> Any:
    return make_pipeline(estimators.columns(), catboost.CatBoostClassifier(iterations=5, **settings))


def regressor() -> Any:
    return make_pipeline(estimators.columns(), catboost.CatBoostRegressor(iterations=5))


@pytest.mark.parametrize(("make", "task"), [(classifier, LATE), (classifier, BAND), (regressor, MINUTES)])
def test_it_keeps_the_contract_and_learns(
    make: Any, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = Sklearn("cat", make)
    assert check_recipe(recipe, ROWS, task=task, features=FEATURES).difference <= 1e-5 * task.spread(
        ROWS[task.label].to_numpy()
    )
    made = fit_recipe(recipe, ROWS, task=task, features=FEATURES, label=task.label)
    answers, labels = made.predict(ROWS), task.targets(ROWS[task.label].to_numpy())
    assert np.ptp(answers, axis=0).min() > 0.1
    assert len(labels) == len(answers)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


def test_the_pages_example_keeps_the_contract() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
    names: dict[str, Any] = {}
    exec(next(source for source in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "catboost" in source), names)
    assert check_recipe(names["candidate"], ROWS, task=LATE, features=FEATURES).difference <= 1e-5


def test_alone_it_takes_numbers() -> None:
    recipe = Sklearn("cat", lambda: catboost.CatBoostClassifier(iterations=5))
    assert check_recipe(recipe, ROWS, task=LATE, features=NUMBERS).difference <= 1e-5
    with pytest.raises(RecipeError, match="recipe cat: CatBoost exports numeric features only, and gets carrier, note; make a"):
        fit_recipe(recipe, ROWS, task=LATE, features=FEATURES, label="late")


def test_categories_of_its_own_are_refused_with_the_way_out() -> None:
    recipe = Sklearn("cat", lambda: classifier(cat_features=[0]))
    with pytest.raises(RecipeError, match=r"numeric features only, and gets cat_features=\[0\]; .*OneHotEncoder"):
        fit_recipe(recipe, ROWS, task=LATE, features=FEATURES, label="late")


def test_a_seed_of_the_users_own_stays() -> None:
    answers = {
        fit_recipe(
            Sklearn("cat", lambda own=own: classifier(bootstrap_type="Bernoulli", subsample=0.5, **own), seed=seed),
            ROWS,
            task=LATE,
            features=FEATURES,
            label="late",
        )
        .predict(ROWS)
        .tobytes()
        for own, seed in [({"random_seed": 1}, 0), ({"random_seed": 1}, 9), ({}, 1), ({}, 9)]
    }
    assert len(answers) == 2, "the recipe's seed is taken where there is none"
