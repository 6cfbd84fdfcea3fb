"""How much each row counts in a fit is declared as a function of the rows; what it returns is checked."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import BinaryClassification, GradientBoosting, Model, Recipe, TorchMLP
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL
from everfit.errors import DeclarationError
from everfit.training.row_weights import row_weights
from models.electricity_price import electricity_price

TASK = BinaryClassification(label="up")
ROWS = pl.DataFrame(
    {"number": [1.0, 2.0], LABEL: [0.0, 1.0], EVENT_TIME: [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]}
)


def recent(rows: pl.DataFrame) -> Any:
    return rows["event_time"].dt.day()


def declared(weights: Any) -> Model:
    return Model(**{name: getattr(electricity_price, name) for name in Model.model_fields} | {"weights": weights})


def test_it_sees_the_label_and_the_time_by_their_own_names() -> None:
    assert row_weights(recent, ROWS, TASK).tolist() == [1.0, 2.0]
    assert row_weights(lambda rows: 1 + 4 * rows["up"], ROWS, TASK).tolist() == [1.0, 5.0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda rows: rows["up"], "gives 0 in row 0 of 2; a weight is a positive, finite number"),
        (lambda rows: [1.0, -3.0], "gives -3 in row 1 of 2"),
        (lambda rows: [None, 1.0], "gives nan in row 0 of 2"),
        (lambda rows: [1.0, float("inf")], "gives inf in row 1 of 2"),
        (lambda rows: [1.0], r"returns numbers of shape \[1\] for 2 rows; return one a row"),
        (lambda rows: 2.0, r"returns numbers of shape \[\] for 2 rows"),
        (lambda rows: ["much", "little"], "fails by ValueError: could not convert string to float"),
        (lambda rows: rows["age"], "fails by ColumnNotFoundError: .*age.*; return a positive number for each row"),
    ],
)
def test_what_is_no_weight_is_refused_with_its_row_and_value(weights: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        row_weights(weights, ROWS, TASK)


def test_weights_are_a_function_of_the_rows() -> None:
    assert declared(recent).weights is recent
    with pytest.raises(DeclarationError, match=r"weights: it cannot be called as weights\(rows\): too many positional"):
        declared(lambda: 1.0)


def test_a_change_of_the_weights_makes_the_trained_model_out_of_date_alone() -> None:
    from everfit.pipeline.code_versions import STAGES, stage_version

    models = [declared(weights) for weights in (None, recent, lambda rows: rows["up"] + 1)]
    for stage in STAGES:
        assert len({stage_version(model, stage) for model in models}) == (3 if stage == "trained_model" else 1), stage


@pytest.mark.parametrize(
    ("recipe", "error"),
    [(GradientBoosting(trees=1), 8e-7), (TorchMLP(hidden=(4,), epochs=200, batch_rows=60, learning_rate=0.05), 0.02)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_ready_recipe_learns_by_them(recipe: Recipe, error: float) -> None:
    from everfit.training.recipe_fit import fit_recipe

    rows = pl.DataFrame({"number": np.zeros(60), LABEL: [0.0, 1.0] * 30})
    fitted = fit_recipe(
        recipe,
        rows,
        task=TASK,
        features=[("number", "number")],
        label=LABEL,
        weights=lambda rows: 1 + 3 * rows["up"],
    )
    assert fitted.predict(rows) == pytest.approx(np.full(60, 0.8), abs=error)
