"""The fit of a model of Keras: made, looked at, trained; each mistake of the user's functions is a sentence."""

import math
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.declaration.fit_context import FitContext
from everfit.errors import DeclarationError, RecipeError
from everfit.training.arrays import split
from everfit.training.fitted_keras import SHOWN_ROWS, FittedKeras
from everfit.training.fitted_module import form
from everfit.training.keras_losses import Loss, row_losses
from everfit.training.keras_recipe import BACKEND, Keras
from everfit.training.module_inputs import MISSING, ModuleEncoding, ModuleInputs
from everfit.training.network import Scale, normalised, one_thread

if TYPE_CHECKING:
    import polars as pl

BACKENDS = ("torch", "tensorflow")  # that models are exported from


def fit_keras(recipe: Keras, rows: "pl.DataFrame", context: FitContext) -> FittedKeras:
    """As :meth:`everfit.training.keras_recipe.Keras.fit`."""
    keras = _imported(recipe)
    arrays = split(context.features, rows)
    encoding = ModuleEncoding.fit(context.features, arrays)
    loss, scale = _loss(recipe, context)
    with _seeded(keras, context.seed), one_thread():
        model = _made(keras, recipe, encoding.sizes(math.prod(context.task.output.shape)))
        fitted = FittedKeras(recipe.name, context.task, encoding, model, scale)
        given = encoding.arrays(arrays)
        _require_inputs(recipe, fitted.taken, list(given))
        _train(keras, recipe, context, fitted, fitted.values(given), loss)
    return fitted


def _imported(recipe: Keras) -> Any:
    """Keras on its backend.

    Raises:
        RecipeError: when it is not installed, or its backend is none that models are exported from.
    """
    backend = os.environ.setdefault(BACKEND, BACKENDS[0])
    if backend not in BACKENDS:
        raise RecipeError(f"recipe {recipe.name}: {BACKEND} is {backend!r}; set it to {' or '.join(BACKENDS)}")
    try:
        import keras
    except ImportError as error:
        why = f"recipe {recipe.name}: Keras on {backend} cannot be loaded: {error}"
        raise RecipeError(f"{why}; pip install 'everfit[keras]' where trainings run, or set {BACKEND}=torch") from error
    if backend == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()
    return keras


@contextmanager
def _seeded(keras: Any, seed: int) -> Iterator[None]:
    """Every draw of Keras seeded, and its names counted from the first; the process's own draws go on as before."""
    import torch

    own, numpy_own = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(seed)
        try:
            yield
        finally:
            random.setstate(own)
            np.random.set_state(numpy_own)


def _made(keras: Any, recipe: Keras, sizes: ModuleInputs) -> Any:
    """The model with its inputs and its one output in lists."""
    name = recipe.build.__name__
    model = recipe.build(sizes)
    if not isinstance(model, keras.Model):
        got = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise RecipeError(f"recipe {recipe.name}: {name} returns {got}, no keras.Model; return an object of one")
    if not getattr(model, "inputs", None) or len(model.outputs) != 1:
        raise RecipeError(
            f"recipe {recipe.name}: the model of {name} has not named inputs and one output; "
            "make it by keras.Model(inputs, output), each input by keras.Input(…, name=…)"
        )
    if not model.trainable_weights:
        raise RecipeError(f"recipe {recipe.name}: the model of {name} has no weight to learn; give it layers")
    return keras.Model(list(model.inputs), list(model.outputs))


def _require_inputs(recipe: Keras, taken: tuple[str, ...], given: list[str]) -> None:
    what = f"recipe {recipe.name}: the model of {recipe.build.__name__}"
    if unknown := [name for name in taken if name not in given]:
        raise RecipeError(f"{what} takes {', '.join(unknown)}; it is given {', '.join(given)}: name each keras.Input by one")
    if left := [name for name in given if name not in taken and name != MISSING]:
        raise RecipeError(f"{what} does not take {', '.join(left)}; give it a keras.Input of that name")


def _loss(recipe: Keras, context: FitContext) -> tuple[Loss, Scale]:
    """The loss of rows, and the scale on which it takes labels: one of the user's own takes them as they are."""
    import torch

    if recipe.loss is not None:
        return recipe.loss, Scale("")
    losses = row_losses(context.task)
    if context.task.loss not in losses:
        known = f"Keras knows {', '.join(losses)}, not {context.task.loss!r} of {type(context.task).__name__}"
        raise DeclarationError(f"recipe {recipe.name}: {known}; give it one of your own, loss=f, f(raw, labels)")
    return losses[context.task.loss], Scale.of(context.task.loss, torch.tensor(context.labels, dtype=torch.float32))


def _train(keras: Any, recipe: Keras, context: FitContext, fitted: FittedKeras, given: list[Any], loss: Loss) -> None:
    shape = (-1, *context.task.output.shape)

    def of_batch(labels: Any, raw: Any) -> Any:
        return loss(keras.ops.reshape(raw, shape), keras.ops.reshape(labels, (-1,)))

    labels = ((context.labels - fitted.scale.centre) / fitted.scale.spread).astype(np.float32)
    raw = fitted.raw([values[:SHOWN_ROWS] for values in given])
    shown = of_batch(keras.ops.convert_to_tensor(labels[:SHOWN_ROWS]), keras.ops.convert_to_tensor(raw))
    if tuple(getattr(shown, "shape", ())) != (len(raw),):
        wanted = f"return the loss of each, shape ({len(raw)},)"
        raise RecipeError(f"recipe {recipe.name}: loss returns {form(shown)} for {len(raw)} rows; {wanted}")
    fitted.model.compile(optimizer=_optimizer(keras, recipe), loss=of_batch, jit_compile=False)
    fitted.model.fit(
        given,
        labels,
        sample_weight=None if context.weights is None else normalised(context.weights)[:, 0].numpy(),
        epochs=recipe.epochs,
        batch_size=recipe.batch_rows,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=_reported(recipe, context))],
        verbose=0,
    )


def _optimizer(keras: Any, recipe: Keras) -> Any:
    if recipe.optimizer is None:
        return keras.optimizers.AdamW(recipe.learning_rate)
    made = recipe.optimizer(recipe.learning_rate)
    if not isinstance(made, keras.optimizers.Optimizer):
        name = recipe.optimizer.__name__
        raise RecipeError(f"recipe {recipe.name}: {name} returns {type(made).__name__}, no optimizer of Keras; return one")
    return made


def _reported(recipe: Keras, context: FitContext) -> Any:
    """Tells each epoch; refuses a loss that is no finite number."""

    def report(epoch: int, logs: dict[str, Any]) -> None:
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            lower = f"lower learning_rate ({recipe.learning_rate:g}), or look for what overflows in the model or the loss"
            raise RecipeError(f"recipe {recipe.name}: the loss is {loss} in epoch {epoch + 1} of {recipe.epochs}; {lower}")
        context.report(epoch + 1, recipe.epochs, loss)

    return report
