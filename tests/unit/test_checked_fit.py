"""Whatever a recipe from outside returns or changes: what goes on is of the task, and everything else is named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import FitContext, Recipe
from everfit.declaration import Name
from everfit.errors import RecipeError
from everfit.training.checked_fit import CheckedFit
from tests.recipes import fit

ROWS = pl.DataFrame({"number": [0.0, 1.0, 2.0, 3.0], "up": [0.0, 1.0, 0.0, 1.0]})
HALVES = np.full(4, 0.5)


class Answering:
    """Answers and exports what it is given."""

    def __init__(self, answers: Any, onnx: Any = b"graph") -> None:
        self.answers, self.onnx = answers, onnx

    def predict(self, frame: pl.DataFrame) -> Any:
        return self.answers

    def to_onnx(self) -> Any:
        return self.onnx


class Given(Recipe):
    """Its fit is the function that a test gives."""

    name: Name = "given"
    function: Any

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        return self.function(rows, context)


def fitted(function: Callable[[pl.DataFrame, FitContext], Any]) -> CheckedFit:
    made = fit(Given(function=function), ROWS, features=[("number", "number")], label="up")
    assert isinstance(made, CheckedFit)
    return made


def at(row: int, answer: float) -> Any:
    answers = HALVES.copy()
    answers[row] = answer
    return answers


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (None, "predict returns NoneType for 4 rows; return float64[4]"),
        ([0.5] * 4, "predict returns list for 4 rows"),
        (HALVES[:3], "predict returns float64[3] for 4 rows"),
        (HALVES[:, None], "predict returns float64[4, 1] for 4 rows"),
        (HALVES.astype(np.float32), "predict returns float32[4] for 4 rows"),
        (HALVES.astype(str), "predict returns <U32[4] for 4 rows"),
        (
            at(2, np.nan),
            "predict answers nan in row 2 of 4, no finite number: {'number': 2.0, 'up': 0.0}; a recipe answers every row: ",
        ),
        (at(1, np.inf), "predict answers inf in row 1 of 4, no finite number"),
        (at(3, 1.5), "predict answers 1.5 in row 3 of 4, no probability in [0, 1]"),
        (at(0, -1.5), "predict answers -1.5 in row 0 of 4, no probability in [0, 1]"),
    ],
)
def test_answers_that_are_none_of_the_task_are_named_with_row_and_value(answers: Any, message: str) -> None:
    with pytest.raises(RecipeError) as refused:
        fitted(lambda *_: Answering(answers)).predict(ROWS)
    assert str(refused.value).startswith(f"recipe given: {message}")


def test_answers_and_graph_of_the_task_are_passed_on() -> None:
    made = fitted(lambda *_: Answering(HALVES))
    assert made.predict(ROWS) is HALVES
    assert made.to_onnx() == b"graph"
    assert fitted(lambda *_: Answering(HALVES[:0])).predict(ROWS.clear()).tolist() == []


@pytest.mark.parametrize(("onnx", "form"), [(None, "NoneType"), ("graph", "str")])
def test_a_graph_is_bytes(onnx: Any, form: str) -> None:
    with pytest.raises(RecipeError, match=f"recipe given: to_onnx returns {form}; return the graph as bytes"):
        fitted(lambda *_: Answering(HALVES, onnx)).to_onnx()


def test_a_fit_that_returns_a_class_is_told_to_return_an_object() -> None:
    with pytest.raises(RecipeError, match=r"recipe given: Given\.fit returns the class Answering; return an object of it"):
        fitted(lambda *_: Answering)


def spoil(frame: pl.DataFrame) -> None:
    """Change a frame in every way that polars has."""
    frame["number"].scatter(0, 7.0)
    frame.replace_column(0, pl.Series("number", [9.0] * 4))
    frame[1, "up"] = 5.0
    frame.insert_column(0, pl.Series("new", [1] * 4))
    frame.extend(frame)
    frame.drop_in_place("up")
    frame.columns = ["a", "b"]


def test_a_recipe_changes_no_rows_but_its_own() -> None:
    class Spoiling(Answering):
        def predict(self, frame: pl.DataFrame) -> Any:
            spoil(frame)
            return self.answers

    def fit_and_spoil(rows: pl.DataFrame, context: FitContext) -> Any:
        spoil(rows)
        context.labels[:] = 0.5
        return Spoiling(HALVES)

    before = ROWS.to_dict(as_series=False)
    fitted(fit_and_spoil).predict(ROWS)
    assert ROWS.to_dict(as_series=False) == before
