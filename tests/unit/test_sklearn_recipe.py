"""Estimators with scikit-learn's interface: fitted on named columns, exported, and refused where they do not fit."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from everfit import BinaryClassification, FitContext, Regression, Sklearn, Task
from everfit.errors import DeclarationError, FeatureError, NotServableError, RecipeError
from everfit.training.artifact import Scorer, Signature
from everfit.training.checked_fit import CheckedFit
from everfit.training.parity import check_parity, hostile
from everfit.training.recipe_fit import fit_recipe
from tests import estimators
from tests.estimators import FEATURES, SIGNATURE, made_rows

LATE, MINUTES = BinaryClassification(label="late"), Regression("minutes")
ROWS = made_rows()
OF_LATE = [estimators.logistic, estimators.calibrated_forest, estimators.light, estimators.extreme, estimators.words]
OF_MINUTES = [
    estimators.ridge,
    estimators.forest,
    estimators.boosted,
    estimators.light_numbers,
    estimators.extreme_numbers,
]
CASES: list[tuple[Callable[[], Any], Task]] = [*((make, LATE) for make in OF_LATE), *((make, MINUTES) for make in OF_MINUTES)]


def fitted(make: Any, task: Task = LATE, **fields: Any) -> CheckedFit:
    weights = fields.pop("weights", None)
    recipe = Sklearn("own", make, **fields)
    return fit_recipe(recipe, ROWS, task=task, features=FEATURES, label=task.label, weights=weights)


@pytest.mark.parametrize(("make", "task"), CASES, ids=[make.__name__ for make, _ in CASES])
def test_it_learns_and_its_graph_answers_the_same_with_nulls_and_unknown_categories_too(make: Any, task: Task) -> None:
    model, labels = fitted(make, task), ROWS[task.label].to_numpy()
    answers = model.predict(ROWS)
    assert task.losses(labels, answers).mean() < 0.9 * task.losses(labels, np.full(len(labels), labels.mean())).mean()
    tested = pl.concat([ROWS.select(name for name, _ in FEATURES), *hostile(FEATURES, ROWS)])
    graph = model.to_onnx()
    scorer = Scorer(graph, SIGNATURE)
    assert np.abs(scorer.score(tested) - model.predict(tested)).max() <= 1e-5 * task.spread(labels)
    assert scorer.score_one(ROWS.row(3, named=True)) == pytest.approx(answers[3], abs=1e-5 * task.spread(labels))
    assert fitted(make, task).to_onnx() == graph, "the same rows and seed give the same bytes"


def test_another_seed_draws_other_trees_and_a_seed_of_the_users_own_stays() -> None:
    def drawn(make: Any, seed: int) -> list[float]:
        answers: list[float] = fitted(make, seed=seed).predict(ROWS).tolist()
        return answers

    assert drawn(estimators.calibrated_forest, 1) != drawn(estimators.calibrated_forest, 2)

    def own() -> Any:
        return make_pipeline(estimators.columns(), RandomForestClassifier(n_estimators=3, random_state=5))

    assert drawn(own, 1) == drawn(own, 2)


def test_an_estimator_given_as_it_is_stays_unfitted() -> None:
    estimator = estimators.logistic()
    fitted(estimator)
    assert not hasattr(estimator[-1], "coef_")


class Watching(BaseEstimator):  # type: ignore[misc]
    """Keeps what it is fitted on."""

    seen: ClassVar[list[Any]] = []

    def fit(self, inputs: Any, labels: Any) -> "Watching":
        self.seen.append((inputs, labels))
        return self

    def predict(self, inputs: Any) -> Any:
        return np.zeros(len(inputs))


def test_it_gets_the_features_by_name_as_float32_and_text() -> None:
    fitted(Watching(), MINUTES)
    inputs, labels = Watching.seen.pop()
    assert isinstance(inputs, pd.DataFrame)
    assert {name: str(kind) for name, kind in inputs.dtypes.items()} == {
        "distance": "float32",
        "carrier": "object",
        "note": "object",
        "embedding_0": "float32",
        "embedding_1": "float32",
        "night": "float32",
        "hour": "float32",
    }
    assert inputs["distance"].isna().sum() == ROWS["distance"].null_count() > 0
    assert (inputs["carrier"] == "").sum() == ROWS["carrier"].null_count() > 0
    assert labels.tolist() == ROWS["minutes"].to_list()


def test_weights_reach_the_last_step_and_one_that_takes_none_is_named() -> None:
    def dummy() -> Any:
        return make_pipeline(estimators.columns(), DummyClassifier())

    weighted = fitted(dummy, weights=lambda rows: 1 + 8 * rows["late"]).predict(ROWS)
    share = ROWS["late"].mean()
    assert isinstance(share, float)
    assert weighted == pytest.approx(np.full(ROWS.height, 9 * share / (1 + 8 * share)))
    with pytest.raises(RecipeError, match="KNeighborsClassifier takes no sample_weight, and the model declares weights"):
        fitted(lambda: make_pipeline(estimators.columns(), KNeighborsClassifier()), weights=lambda rows: rows["late"] + 1)


@pytest.mark.parametrize(
    ("estimator", "task", "message"),
    [
        (LinearSVC(), LATE, r"LinearSVC has no predict_proba, .* wrap the classifier in CalibratedClassifierCV"),
        (
            RandomForestRegressor(),
            LATE,
            "RandomForestRegressor is a regressor, and BinaryClassification asks for probabilities",
        ),
        (LogisticRegression(), MINUTES, "LogisticRegression is a classifier, and Regression asks for numbers"),
        (lambda: None, LATE, "returns NoneType, no estimator"),
    ],
)
def test_what_cannot_answer_the_task_is_refused_with_the_way_out(estimator: Any, task: Task, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        fitted(estimator, task)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        ("forest", "'forest' is no estimator and no function"),
        (lambda trees: trees, r"cannot be called as <lambda>\(\): missing"),
    ],
)
def test_what_makes_no_estimator_is_refused_when_it_is_declared(make: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        Sklearn("own", make)


def test_a_missing_column_is_named() -> None:
    model = fitted(estimators.logistic)
    with pytest.raises(FeatureError, match="'carrier'"):
        model.predict(ROWS.drop("carrier"))


def test_numbers_alone_need_no_column_transformer() -> None:
    numbers = [(name, kind) for name, kind in FEATURES if name == "hour"]
    model = fit_recipe(Sklearn("own", LinearRegression()), ROWS, task=MINUTES, features=numbers, label="minutes")
    graph = Scorer(model.to_onnx(), Signature(model="made", features=numbers, schema=""))
    assert graph.score(ROWS) == pytest.approx(model.predict(ROWS), rel=1e-5)


def test_a_wrong_conversion_is_refused_by_parity_and_what_cannot_be_converted_by_name() -> None:
    wrong = fitted(estimators.discriminant)
    with pytest.raises(NotServableError, match=r"rows differ by more than 1e-05, allowed are one in 10,000 and 0\.001 at most"):
        check_parity(wrong.to_onnx(), SIGNATURE, ROWS, wrong.predict)
    with pytest.raises(RecipeError, match=r"native categories wrongly; .*, or use GradientBoosting"):
        fitted(estimators.native_categories).to_onnx()
    with pytest.raises(RecipeError, match=r"recipe own: Pipeline cannot be exported: .*DummyClassifier"):
        fitted(lambda: make_pipeline(estimators.columns(), DummyClassifier())).to_onnx()


def test_the_settings_of_the_estimator_and_of_all_within_are_recorded() -> None:
    recorded = Sklearn("own", estimators.light, seed=3).parameters()
    assert recorded["seed"] == 3
    assert recorded["make"]["lgbmclassifier__n_estimators"] == 5
    assert recorded["make"]["estimator"] == "sklearn.pipeline.Pipeline"
    assert Sklearn("own", estimators.light).model_dump(mode="json")["make"] == "tests.estimators.light"


def test_to_declare_one_by_a_function_loads_no_heavy_package() -> None:
    script = "import sys; from everfit import Sklearn; Sklearn('own', lambda: None).model_dump(mode='json'); "
    script += "print(*sorted(set(sys.modules) & {'numpy', 'onnx', 'pandas', 'polars', 'sklearn', 'skl2onnx'}))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "\n"


def test_a_context_stays_as_it_was() -> None:
    labels, weights = ROWS["late"].to_numpy(), np.ones(ROWS.height)
    context = FitContext(task=LATE, features=FEATURES, labels=labels, seed=0, weights=weights)
    before = ROWS.to_dict(as_series=False)
    Sklearn("own", estimators.logistic).fit(ROWS, context).predict(ROWS)
    assert ROWS.to_dict(as_series=False) == before
    assert weights.tolist() == [1.0] * ROWS.height


def test_a_feature_with_the_name_of_a_vectors_component_is_refused() -> None:
    fault = Sklearn("ridge", estimators.ridge).inputs_fault([*FEATURES, ("embedding_1", "number")])
    assert fault == "embedding_1 is a feature and a component of a vector; rename one of them"
