"""Models of Keras keep the contract of recipes, on the backend that KERAS_BACKEND names, and mistakes in them are sentences."""

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import polars as pl
import pytest
from keras import layers, ops

from everfit import BinaryClassification, FitContext, Keras, MulticlassClassification, QuantileRegression, Regression, Task
from everfit.declaration.fit_context import Floats
from everfit.errors import RecipeError
from everfit.testing import check_recipe
from everfit.training.module_inputs import ModuleInputs
from tests.estimators import FEATURES, made_rows

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras' own, and its backend's

SPEEDS = ["slow", "fair", "fast"]
ROWS = made_rows(200).with_columns(speed=(pl.col("hour") // 8).replace_strict([0, 1, 2], pl.Series(SPEEDS)))
TAKEN = [feature for feature in FEATURES if feature[1] != "text"]
LATE, MINUTES = BinaryClassification(label="late"), Regression("minutes")
PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()


def network(inputs: ModuleInputs) -> Any:
    """A model of every kind of input, with an embedding, dropout and statistics of batches."""
    numbers = keras.Input((len(inputs.numbers),), name="numbers")
    missing = keras.Input((len(inputs.numbers),), name="missing")
    categories = keras.Input((len(inputs.categories),), name="categories", dtype="int32")
    vector = keras.Input((inputs.vectors["embedding"],), name="embedding")
    carrier = layers.Flatten()(layers.Embedding(inputs.categories["carrier"], 3, name="carriers")(categories))
    hidden = layers.Dense(8, activation="relu")(layers.Concatenate()([numbers, missing, carrier, vector]))
    hidden = layers.Dropout(0.2)(layers.BatchNormalization()(hidden))
    given = {"numbers": numbers, "missing": missing, "categories": categories, "embedding": vector}
    return keras.Model(given, layers.Dense(inputs.outputs)(hidden))


def linear(inputs: ModuleInputs) -> Any:
    """A linear model of the numbers alone."""
    return keras.Sequential([keras.Input((len(inputs.numbers),), name="numbers"), layers.Dense(inputs.outputs)])


@pytest.mark.parametrize(
    "task",
    [LATE, MINUTES, MulticlassClassification("speed", SPEEDS), QuantileRegression("minutes", [0.1, 0.9])],
    ids=lambda task: type(task).__name__,
)
def test_a_model_of_keras_keeps_the_contract(task: Task) -> None:
    recipe = Keras("network", network, epochs=2, batch_rows=64)
    spread = task.spread(ROWS[task.label].to_numpy())
    assert check_recipe(recipe, ROWS, task=task, features=TAKEN).difference <= 1e-5 * spread


def test_the_pages_model_keeps_it_as_it_is_written_there() -> None:
    (source,) = [each for each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "import Keras" in each]
    names: dict[str, Any] = {"__name__": "tests.written"}
    exec(source, names)
    features = [feature for feature in FEATURES if feature[0] in ("distance", "carrier", "hour")]
    assert check_recipe(names["candidate"], ROWS, task=LATE, features=features).difference <= 1e-5


def fit(recipe: Keras, weights: Floats | None = None, told: list[Any] | None = None) -> Any:
    """A fit on the numbers."""
    features = [feature for feature in FEATURES if feature[0] in ("distance", "hour")]
    reported: list[Any] = [] if told is None else told
    context = FitContext(
        task=LATE,
        features=features,
        labels=ROWS["late"].to_numpy(),
        seed=recipe.seed,
        weights=weights,
        report=lambda step, of, loss=None: reported.append((step, of, loss)),
    )
    return recipe.fit(ROWS, context)


def test_two_fits_export_the_same_bytes_and_draw_nothing_of_the_process() -> None:
    np.random.seed(5)
    expected = np.random.RandomState(5).rand()
    first, second, other = (fit(Keras("linear", linear, epochs=1, seed=seed)) for seed in (0, 0, 1))
    assert np.random.rand() == expected
    assert first.to_onnx() == second.to_onnx()
    assert not np.array_equal(first.predict(ROWS), other.predict(ROWS))


def test_rows_learn_by_their_weights_and_each_epoch_is_reported() -> None:
    told: list[Any] = []
    recipe = Keras("linear", linear, epochs=30, batch_rows=64, learning_rate=0.05)
    alike = fit(recipe, told=told).predict(ROWS).mean()
    late_counts = fit(recipe, weights=np.where(ROWS["late"] == 1, 9.0, 1.0)).predict(ROWS).mean()
    assert late_counts > alike + 0.2
    assert [(step, of) for step, of, _ in told] == [(epoch, 30) for epoch in range(1, 31)]
    assert told[-1][2] < told[0][2]


def test_a_loss_and_an_optimizer_of_ones_own_are_used() -> None:
    def squared(raw: Any, labels: Any) -> Any:
        return ops.square(ops.sigmoid(raw) - labels)

    def momentum(learning_rate: float) -> Any:
        return keras.optimizers.SGD(learning_rate, momentum=0.9)

    made = fit(Keras("linear", linear, epochs=2, loss=squared, optimizer=momentum))
    assert isinstance(made.model.optimizer, keras.optimizers.SGD)
    assert not np.array_equal(made.predict(ROWS), fit(Keras("linear", linear, epochs=2)).predict(ROWS))


def wide(inputs: ModuleInputs) -> Any:
    given = keras.Input((len(inputs.numbers),), name="numbers")
    return keras.Model(given, layers.Dense(3)(given))


def misnamed(inputs: ModuleInputs) -> Any:
    given = keras.Input((len(inputs.numbers),), name="figures")
    return keras.Model(given, layers.Dense(1)(given))


def unlearning(inputs: ModuleInputs) -> Any:
    given = keras.Input((len(inputs.numbers),), name="numbers")
    return keras.Model(given, ops.sum(given, axis=1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"build": lambda _inputs: 5}, "returns int, no keras.Model"),
        ({"build": wide}, r"the model returns float32\[2, 3\] for 2 rows; return \[2\] or \[2, 1\]"),
        ({"build": misnamed}, "takes figures; it is given numbers, missing: name each keras.Input by one"),
        ({"build": unlearning}, "has no weight to learn"),
        ({"build": lambda _inputs: keras.Sequential([layers.Dense(1)])}, "has not named inputs and one output"),
        ({"loss": lambda raw, labels: ops.mean(raw - labels)}, r"loss returns .* for 2 rows; return the loss of each"),
        ({"optimizer": lambda learning_rate: learning_rate}, "returns float, no optimizer of Keras"),
        ({"learning_rate": 10.0, "loss": lambda raw, labels: ops.exp(ops.exp(raw))}, "the loss is .* lower learning_rate"),
    ],
)
def test_a_mistake_is_a_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"recipe wrong: .*{message}"):
        fit(Keras("wrong", **{"build": linear, "epochs": 5} | fields))


def test_an_input_that_is_left_out_is_named() -> None:
    with pytest.raises(RecipeError, match=r"the model of linear does not take categories, embedding; give it a keras\.Input"):
        check_recipe(Keras("linear", linear), ROWS, task=LATE, features=TAKEN)
