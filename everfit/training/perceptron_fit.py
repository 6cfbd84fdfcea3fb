"""The fit of :class:`everfit.training.mlp.TorchMLP`.

Shapes: N rows; inputs float32[N, D], labels and weights float32[N, 1].
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from everfit.declaration.fit_context import FitContext
from everfit.training import network
from everfit.training.arrays import split, with_components
from everfit.training.checkpoint import checkpoint_of
from everfit.training.early_stopping import EarlyStopping, older
from everfit.training.encoding import Encoding
from everfit.training.epochs import Epochs
from everfit.training.losses import require_loss, weights_of

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.mlp import TorchMLP


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is learnt from; the labels are on their scale."""

    inputs: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor | None


def fitted_perceptron(recipe: "TorchMLP", rows: "pl.DataFrame", context: FitContext) -> network.FittedNetwork:
    """As :meth:`everfit.training.mlp.TorchMLP.fit`."""
    task = context.task
    require_loss(recipe, context, network.losses())
    weights = weights_of(recipe, recipe.class_weight, context)
    numbers, categories = with_components(split(context.features, rows))
    encoding = Encoding.fit(numbers, categories)
    inputs = torch.from_numpy(network.inputs_of(encoding, numbers, categories))
    labels = torch.from_numpy(context.labels).float()[:, None]
    scale = network.Scale.of(task.loss, labels)
    given = _Rows(inputs, scale.reduced(labels), None if weights is None else network.normalised(weights))
    with network.one_thread():
        epochs = recipe.epochs if recipe.early_stopping is None else _best_epochs(recipe, context, given, recipe.early_stopping)
        training = _training(recipe, context, given, epochs=epochs, learnt=len(inputs))
        training.run()
        layers: Any = training.module
        network.silence_constants(layers, inputs)
        scale.restore(layers)
    return network.FittedNetwork(context.features, task, encoding, layers)


def _best_epochs(recipe: "TorchMLP", context: FitContext, given: _Rows, patience: int) -> int:
    """After how many epochs on the older rows the newest are predicted best."""
    if context.checkpoints:
        folder = context.checkpoints / "newest"
        folder.mkdir(exist_ok=True)
        context = replace(context, checkpoints=folder)
    training = _training(recipe, context, given, epochs=recipe.epochs, learnt=older(len(given.inputs)), patience=patience)
    training.run()
    return max(1, training.stopping.best_epoch) if training.stopping else recipe.epochs


def _training(
    recipe: "TorchMLP", context: FitContext, given: _Rows, *, epochs: int, learnt: int, patience: int | None = None
) -> Epochs:
    """A training of new layers on the first rows; with a patience it is stopped by the loss of the others."""
    generator = torch.Generator().manual_seed(context.seed)
    widths = [given.inputs.shape[1], *recipe.hidden, len(context.task.score_names) or 1]
    layers = network.perceptron(widths, generator)
    loss_of = network.mean_loss(context.task, layers, given.inputs, given.labels, given.weights)
    others = torch.arange(learnt, len(given.inputs))

    def tail_loss() -> float:
        with torch.no_grad():
            return loss_of(others).item()

    return Epochs(
        module=layers,
        optimizer=torch.optim.AdamW(layers.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay),
        loss_of=loss_of,
        rows=learnt,
        epochs=epochs,
        batch_rows=recipe.batch_rows,
        generator=generator,
        stopping=None if patience is None else EarlyStopping(tail_loss, patience),
        checkpoint=checkpoint_of(recipe, context, [given.inputs, given.labels, given.weights]),
        checkpoint_seconds=recipe.checkpoint_seconds,
        report=context.report,
    )
