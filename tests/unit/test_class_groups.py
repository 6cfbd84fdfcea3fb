"""Classes that a training holds few rows of, or none: every declared class has a probability all the same."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import MulticlassClassification, QuantileRegression, Regression, Task
from everfit.declaration import class_groups
from everfit.errors import DeclarationError, FeatureError, RecipeError
from everfit.training.artifact import Scorer, Signature
from everfit.training.checked_fit import CheckedFit
from everfit.training.parity import check_parity
from everfit.training.recipe_fit import fit_recipe
from tests.linear import Linear

CLASSES = ("clear", "rain", "smoke", "squall", "hail")
FEATURES = [("heat", "number"), ("wind", "number")]


def days(**counts: int) -> pl.DataFrame:
    """So many rows of each class, whose numbers tell clear from rain."""
    sky = [name for name, count in counts.items() for _ in range(count)]
    random = np.random.default_rng(1)
    heat = [float(name == "clear") for name in sky] + random.normal(size=len(sky)) / 4
    return pl.DataFrame({"heat": heat, "wind": random.normal(size=len(sky)), "_label": sky})


def fitted(rows: pl.DataFrame, task: Task) -> tuple[CheckedFit, Any, Any]:
    """The fit, its native answers, and those of its graph, which are the same on hostile rows, too."""
    fit = fit_recipe(Linear(), rows, task=task, features=FEATURES, label="_label")
    signature = Signature(model="sky", features=FEATURES, schema="s")
    onnx = fit.to_onnx()
    check_parity(onnx, signature, rows, fit.predict)
    return fit, fit.predict(rows), Scorer(onnx, signature).score(rows)


def test_merged_classes_share_one_probability_as_they_share_the_rows() -> None:
    rows = days(clear=300, rain=200, smoke=20, squall=4, hail=60)
    fit, native, exported = fitted(rows, MulticlassClassification(label="sky", classes=CLASSES, rare="merge"))
    assert fit.notes == ["learnt as one class: 'smoke' (20 rows), 'squall' (4 rows)"]
    assert native.shape == exported.shape == (584, 5)
    assert np.abs(native - exported).max() < 1e-12
    assert np.allclose(native[:, 2], 5 * native[:, 3])
    assert np.allclose(native.sum(axis=1), 1)


def test_a_class_without_a_row_has_a_small_probability_and_is_told() -> None:
    fit, native, exported = fitted(days(clear=300, rain=195), MulticlassClassification(label="sky", classes=CLASSES))
    assert fit.notes == ["without a row among 495, and answered with a small probability: 'smoke', 'squall', 'hail'"]
    assert np.allclose(native[:, 2:], 1 / 500)
    assert np.allclose(exported.sum(axis=1), 1)
    assert fit.task.losses(np.array(["hail"] * 3, dtype=object), native[:3]).max() < 7, "no infinity when it comes true"


def test_where_all_is_seen_and_common_nothing_is_changed() -> None:
    task = MulticlassClassification(label="sky", classes=("clear", "rain"), rare="merge")
    fit, _, _ = fitted(days(clear=60, rain=50), task)
    assert fit.notes == ()
    assert class_groups.groups(np.array([10, 5]), 0) == [[0], [1]], "not declared"


@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ([300, 200, 20, 4], [[0], [1], [2, 3]]),
        ([300, 200, 40, 14], [[0], [1], [2, 3]]),
        ([300, 200, 60, 4], [[0], [1], [2, 3]]),
        ([300, 0, 60, 4], [[0], [2, 3]]),
        ([30, 10, 4, 0], [[0, 1, 2]]),
    ],
)
def test_the_rare_are_learnt_together_and_one_alone_with_the_next_rarest(counts: Any, groups: Any) -> None:
    assert class_groups.groups(np.array(counts), 50) == groups


def test_what_cannot_be_learnt_is_refused_with_its_value() -> None:
    task = MulticlassClassification(label="sky", classes=CLASSES, rare="merge")
    with pytest.raises(
        FeatureError, match=r"'sky' must hold two classes at least that can be learnt; 20 rows to learn from hold 'clear', 'r"
    ):
        fitted(days(clear=12, rain=8), task)
    with pytest.raises(
        FeatureError, match=r"two classes at least that can be learnt; 90 rows to learn from hold 'clear'; wait"
    ):
        fitted(days(clear=90), MulticlassClassification(label="sky", classes=CLASSES))
    with pytest.raises(FeatureError, match=r"label 'sky' is 'fog' in a row to learn from.*declare it among the classes"):
        fitted(days(clear=90, fog=1), task)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MulticlassClassification(label="sky", classes=("clear",)), "classes: 1 given; name two at least"),
        (lambda: MulticlassClassification(label="sky", classes=("a", "b", "a")), "'a' stands there twice"),
        (lambda: MulticlassClassification(label="sky", classes=("a", "")), "'' is no name of a class"),
        (lambda: MulticlassClassification(label="sky", classes=("a", "b"), rare="drop"), "rare: Input should be 'merge'"),
        (lambda: QuantileRegression(label="cars", quantiles=(0.5, 0.1)), "quantiles: 0.1 follows 0.5"),
        (lambda: QuantileRegression(label="cars", quantiles=(0.5, 0.5)), "0.5 follows 0.5"),
        (lambda: QuantileRegression(label="cars", quantiles=(0.1, 1.0)), "1 is no quantile; each lies between 0 and 1"),
        (lambda: QuantileRegression(label="cars", quantiles=()), "quantiles: none is given"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(make: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        make()


@pytest.mark.parametrize("task", [Regression(label="cars"), QuantileRegression(label="cars", quantiles=(0.1, 0.5, 0.9))])
def test_numbers_are_fitted_and_exported(task: Task) -> None:
    rows = days(clear=90, rain=80).with_columns(_label=pl.col("heat") * 3 + pl.col("wind"))
    _, native, exported = fitted(rows, task)
    assert native.shape == (170, *task.output.shape)
    assert np.abs(native - exported).max() < 1e-9
    assert task.losses(rows["_label"].to_numpy(), native).mean() < 0.01


def test_an_answer_in_the_middle_that_is_none_is_found_by_its_sum_or_its_steps() -> None:
    class Middle:
        """Answers well but in row 3."""

        def __init__(self, good: list[float], bad: list[float]) -> None:
            self.answers = np.array([good] * 9)
            self.answers[3] = bad

        def predict(self, frame: pl.DataFrame) -> Any:
            return self.answers

        def to_onnx(self) -> bytes:
            return b""

    quantiles = QuantileRegression(label="cars", quantiles=(0.1, 0.5, 0.9))
    classes = MulticlassClassification(label="sky", classes=("a", "b", "c"))
    for task, good, bad in ((quantiles, [0.0, 5.0, 9.0], [2.0, 1.0, 8.0]), (classes, [0.0, 0.0, 1.0], [0.2, 0.2, 0.5])):
        with pytest.raises(RecipeError, match=r"in row 3 of 9, no 3 "):
            CheckedFit(Linear(), task, Middle(good, bad)).predict(days(clear=9))
