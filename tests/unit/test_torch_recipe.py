"""A user's module of PyTorch is trained as declared; each mistake of the user's functions is a sentence with its way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from everfit import BinaryClassification, FitContext, MulticlassClassification, QuantileRegression, Regression, Torch
from everfit.errors import DeclarationError, FeatureError, RecipeError
from everfit.testing import check_recipe
from tests import modules
from tests.estimators import FEATURES, made_rows

LATE, MINUTES = BinaryClassification(label="late"), Regression("minutes")
ROWS = made_rows(120)
TAKEN = [feature for feature in FEATURES if feature[1] != "text"]


def context(task: Any = LATE, **fields: Any) -> FitContext:
    given: dict[str, Any] = {"task": task, "features": TAKEN, "seed": 1} | fields
    if "labels" not in given:
        given["labels"] = task.targets(ROWS[task.label].to_numpy())
    return FitContext(**given)


def weights(fitted: Any) -> list[bytes]:
    return [value.numpy().tobytes() for value in fitted.module.state_dict().values()]


OWN = Torch(
    "own",
    modules.vectors,
    optimizer=modules.momentum,
    schedule=modules.falling,
    epochs=4,
    batch_rows=17,
    early_stopping=2,
    tail=0.3,
)


class Killed(BaseException):
    """Stands for a signal that ends the process."""


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_killed_at_drawn_steps_a_training_with_dropout_ends_with_the_same_bits(seconds: float | None, tmp_path: Path) -> None:
    recipe = OWN.model_copy(update={"checkpoint_seconds": seconds})
    drawn = np.random.default_rng(2).choice(np.arange(1, 20), 3, replace=False)  # 84 rows are learnt from, 5 batches
    for kill in sorted(drawn.tolist()):

        def report(step: int, of: int, loss: float | None = None, kill: int = kill) -> None:
            if step == kill:
                raise Killed(of, loss)

        with pytest.raises(Killed):
            recipe.fit(ROWS, context(checkpoints=tmp_path, report=report))
    before = torch.get_rng_state()
    assert weights(recipe.fit(ROWS, context(checkpoints=tmp_path))) == weights(recipe.fit(ROWS, context()))
    assert torch.equal(torch.get_rng_state(), before), "nothing is drawn of the process's own generator"


@pytest.mark.parametrize(("loss", "rate"), [(None, 0.1), (modules.huber, 3.0)], ids=["the task's", "own"])
def test_numbers_are_learnt_in_any_unit_and_a_loss_of_ones_own_takes_them_as_they_are(loss: Any, rate: float) -> None:
    labels = 1000.0 + 50 * ROWS["hour"].to_numpy()
    recipe = Torch("linear", modules.linear, loss=loss, optimizer=modules.momentum, epochs=400, learning_rate=rate)
    answers = recipe.fit(ROWS, context(MINUTES, labels=labels)).predict(ROWS)
    assert np.abs(answers - labels).mean() < 25  # their deviation is 350


def test_a_module_learns_several_raw_values_a_row() -> None:
    rows = ROWS.with_columns(part=pl.when(pl.col("hour") > 12).then(pl.lit("late")).otherwise(pl.lit("early")))
    classes = MulticlassClassification("part", ["early", "late"])
    recipe = Torch("linear", modules.linear, epochs=40, learning_rate=0.1)
    check_recipe(recipe, rows, task=classes, features=TAKEN)
    answers = recipe.fit(rows, context(classes, labels=classes.targets(rows["part"].to_numpy()))).predict(rows)
    assert ((answers[:, 1] > 0.5) == (rows["part"] == "late").to_numpy()).mean() > 0.9
    quantiles = QuantileRegression("hour", [0.1, 0.9])
    answers = recipe.fit(rows, context(quantiles, labels=rows["late"].to_numpy())).predict(rows)
    assert answers.shape == (120, 2)
    assert (answers[:, 0] < answers[:, 1]).all()


def test_a_loss_that_it_does_not_know_is_to_be_given() -> None:
    class Ranking(BinaryClassification):
        @property
        def loss(self) -> str:
            return "hinge"

    with pytest.raises(DeclarationError, match=r"recipe own: Torch knows log_loss, .*not 'hinge' of Ranking; give it one of"):
        Torch("own", modules.linear).fit(ROWS, context(Ranking(label="late")))


def test_early_stopping_learns_nothing_from_the_newest_rows() -> None:
    recipe = Torch("linear", modules.linear, epochs=1, batch_rows=17, early_stopping=1, tail=0.25)
    changed = context().labels.copy()
    changed[-30:] = 1 - changed[-30:]
    assert weights(recipe.fit(ROWS, context(labels=changed))) == weights(recipe.fit(ROWS, context()))
    changed[0] = 1 - changed[0]
    assert weights(recipe.fit(ROWS, context(labels=changed))) != weights(recipe.fit(ROWS, context()))


def test_what_it_is_and_its_functions_are_recorded() -> None:
    assert OWN.parameters() == {
        "name": "own",
        "seed": 0,
        "module": "tests.modules.vectors",
        "loss": None,
        "optimizer": "tests.modules.momentum",
        "schedule": "tests.modules.falling",
        "epochs": 4,
        "batch_rows": 17,
        "learning_rate": 1e-3,
        "early_stopping": 2,
        "tail": 0.3,
        "device": "cpu",
    }


def nothing(_: Any) -> Any:
    return None


def a_class(_: Any) -> Any:
    return nn.Linear


def not_installed(_: Any) -> Any:
    import layers_that_are_not_there  # type: ignore[import-not-found]

    return layers_that_are_not_there


def forward(function: Callable[..., Any], **layers: Any) -> Callable[[Any], nn.Module]:
    class Made(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 1)
            for name, layer in layers.items():
                setattr(self, name, layer)

    Made.forward = function

    def made(_: Any) -> nn.Module:
        return Made()

    return made


def two(self: Any, numbers: Any, **others: Any) -> Any:
    return self.layer(numbers).repeat(1, 2)


def doubled(self: Any, numbers: Any, **others: Any) -> Any:
    return self.layer(numbers[:, :2])


def endless(self: Any, numbers: Any, **others: Any) -> Any:
    return self.layer(numbers) / 0.0


def unnamed(self: Any, values: Any) -> Any:
    return self.layer(values)


def leaving(self: Any, numbers: Any) -> Any:
    return self.layer(numbers)


def mean_loss(raw: Any, labels: Any) -> Any:
    return ((raw - labels) ** 2).mean()


def no_optimizer(parameters: Any, learning_rate: float) -> Any:
    return [*parameters], learning_rate


@pytest.mark.parametrize(
    ("module", "fields", "message"),
    [
        (nothing, {}, "nothing returns NoneType, no torch.nn.Module; return an object of one"),
        (a_class, {}, "a_class returns the class Linear, no torch.nn.Module; return an object of one"),
        (
            not_installed,
            {},
            "not_installed cannot make its module: No module named 'layers_that_are_not_there'; install it",
        ),
        (lambda _: nn.Identity(), {}, "Identity has no parameter to learn; give it layers"),
        (forward(two), {}, r"Made returns float32\[2, 2\] for 2 rows; return float32\[2\] or \[2, 1\], the raw values of Bin"),
        (
            forward(doubled),
            {},
            r"Made fails on numbers float32\[2, 3\], categories int64\[2, 1\], embedding float32\[2, 2\]: ",
        ),
        (
            forward(endless),
            {},
            r"the loss is (nan|inf) in step 1 of 20; lower learning_rate \(0.001\), or look for what",
        ),
        (
            forward(unnamed),
            {},
            "forward takes values; it is given numbers, missing, categories, embedding: name its",
        ),
        (forward(leaving), {}, "forward does not take categories, embedding; name what it uses of .* and add \\*\\*others"),
        (
            modules.linear,
            {"loss": mean_loss},
            r"loss returns float32\[\] for 120 rows; return the loss of each, float32\[120",
        ),
        (modules.linear, {"optimizer": no_optimizer}, "no_optimizer returns tuple, no torch.optim.Optimizer; return one"),
    ],
)
def test_a_mistake_in_a_function_is_a_sentence(module: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"recipe own: .*{message}"):
        Torch("own", module, **fields).fit(ROWS, context())


def branching(self: Any, numbers: Any, **others: Any) -> Any:
    return self.layer(numbers) if float(numbers.sum()) > 0 else -self.layer(numbers)


def test_a_module_that_cannot_be_exported_is_a_sentence() -> None:
    fitted = Torch("own", forward(branching), epochs=1).fit(ROWS, context())
    with pytest.raises(RecipeError, match=r"recipe own: torch\.onnx cannot convert Made: .*without branches on values"):
        fitted.to_onnx()


@pytest.mark.parametrize(
    ("module", "fields", "message"),
    [
        (
            "layers.network",
            {},
            r"Torch own: module: 'layers.network' is no function; give one that is called as module",
        ),
        (lambda: None, {}, r"<lambda> cannot be called as module\(inputs\): too many positional arguments"),
        (nothing, {"schedule": lambda a, b: 1}, r"<lambda> cannot be called as schedule\(done\): missing a required argument"),
        (nothing, {"epochs": 0}, "epochs: .* greater than or equal to 1, got 0"),
        (nothing, {"device": "tpu"}, "device: .*'cpu', 'cuda' or 'mps', got 'tpu'"),
        (nothing, {"tail": 1.0}, "tail: .*less than 1, got 1.0"),
    ],
)
def test_a_wrong_declaration_is_refused(module: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        Torch("own", module, **fields)


def test_inputs_and_rows_that_it_cannot_learn_from_are_refused() -> None:
    assert "Torch takes no text, and note is one; declare a candidate that does" in OWN.inputs_fault(FEATURES)
    with pytest.raises(
        FeatureError, match="recipe own: 1 row is too few to stop early by its newest; leave early_stopping out"
    ):
        OWN.fit(ROWS[:1], context(labels=np.ones(1)))


def test_a_device_that_is_not_there_is_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with caplog.at_level("INFO"):
        fitted = Torch("own", modules.linear, device="cuda", epochs=1).fit(ROWS, context())
    assert "recipe own: this machine has no cuda; it is trained on the CPU" in caplog.text
    assert weights(fitted) == weights(Torch("own", modules.linear, epochs=1).fit(ROWS, context()))
